internal import JobCore
internal import Yams
internal import ZeroMQ

/// `millrace.yaml` as it was written: texts by the names of settings, and what has names of its
/// own.
struct SettingsFile {
    private(set) var texts: [String: String] = [:]
    private(set) var lists: [String: [String]] = [:]
    private(set) var databases: [String: Settings.Database] = [:]
    private(set) var commands: [String: String] = [:]
    private(set) var clients: [String: Settings.Client] = [:]
    private(set) var problems: [String] = []
    private let path: String

    /// Settings with one value, those of `limits` aside.
    static let names = [
        "state", "spool", "workers", "express", "nice", "drain_ms", "stuck_ms",
        "keep_succeeded_ms", "keep_failed_ms",
        "kernel_processes", "kernel_memory_bytes", "command_memory_bytes",
    ]
    static let limitNames = Limits.settable.map { "limits.\($0.name)" }

    /// Nothing, where there is no file.
    init() { path = "" }

    /// The path is named in sentences and not read.
    init(parsing yaml: String, path: String) {
        self.path = path
        do {
            guard let root = try Yams.compose(yaml: yaml) else { return }
            each(of: root, "The settings") { file, key, value in file.read(key, value) }
        } catch {
            problems.append("\(path) is no YAML: \(error)")
        }
    }

    private mutating func read(_ key: Node, _ value: Node) {
        let name = key.string ?? ""
        switch name {
        case "listen", "events", "worker_listen", "external_kernels":
            lists[name] = list(value, of: name)
        case "limits":
            each(of: value, name) { file, key, value in
                let name = "limits.\(key.string ?? "")"
                if Self.limitNames.contains(name) {
                    file.texts[name] = file.text(value, of: name)
                } else {
                    file.refuse("there is no setting \"\(name)\"", at: key)
                }
            }
        case "databases":
            each(of: value, name) { file, key, value in file.readDatabase(key, value) }
        case "commands":
            each(of: value, name) { file, key, value in
                let name = key.string ?? ""
                file.commands[name] = file.text(value, of: "commands.\(name)")
            }
        case "curve":
            each(of: value, name) { file, key, value in file.readCurve(key, value) }
        case _ where Self.names.contains(name): texts[name] = text(value, of: name)
        default: refuse("there is no setting \"\(name)\"", at: key)
        }
    }

    private mutating func readDatabase(_ key: Node, _ value: Node) {
        let name = key.string ?? ""
        var database = Settings.Database(path: "")
        if let path = value.scalar?.string {
            database.path = path
        } else {
            each(of: value, "databases.\(name)") { file, key, value in
                switch key.string {
                case "path": database.path = file.text(value, of: "path") ?? ""
                case "write": database.allowsWriting = file.bool(value, of: "write")
                case "foreign_keys":
                    database.enforcesForeignKeys = file.bool(value, of: "foreign_keys")
                case "trust": database.trust = file.trust(value)
                case let other:
                    file.refuse("databases.\(name) has no setting \"\(other ?? "")\"", at: key)
                }
            }
        }
        databases[name] = database
    }

    private mutating func readCurve(_ key: Node, _ value: Node) {
        switch key.string {
        case "secret_key":
            texts["curve.secret_key"] = text(value, of: "curve.secret_key")
        case "clients":
            each(of: value, "curve.clients") { file, key, value in file.readClient(key, value) }
        case let other: refuse("there is no setting \"curve.\(other ?? "")\"", at: key)
        }
    }

    private mutating func readClient(_ name: Node, _ value: Node) {
        let path = "curve.clients.\(name.string ?? "")"
        var key: PublicKey?
        var role: Role?
        let problemsBefore = problems.count
        each(of: value, path) { file, field, value in
            let text = file.text(value, of: "\(path).\(field.string ?? "")") ?? ""
            switch field.string {
            case "key":
                key = PublicKey(text)
                if key == nil {
                    file.refuse("\(path): the key is not 40 characters of Z85", at: value)
                }
            case "role":
                role = Role(rawValue: text)
                if role == nil { file.refuse("\(path): the role must be \(roles)", at: value) }
            case let other:
                file.refuse("\(path) has no setting \"\(other ?? "")\"", at: field)
            }
        }
        if let key, let role {
            clients[name.string ?? ""] = Settings.Client(publicKey: key.bytes, role: role)
        } else if problems.count == problemsBefore {
            refuse("\(path) must have a key and a role", at: value)
        }
    }

    private mutating func each(
        of node: Node,
        _ name: String,
        _ body: (inout SettingsFile, Node, Node) -> Void
    ) {
        if node.isEmptyValue { return }
        guard let mapping = node.mapping else {
            return refuse("\(name) must be written as NAME: VALUE", at: node)
        }
        for (key, value) in mapping { body(&self, key, value) }
    }

    private mutating func text(_ node: Node, of name: String) -> String? {
        if let text = node.scalar?.string { return text }
        refuse("\(name) must be one value", at: node)
        return nil
    }

    private mutating func list(_ node: Node, of name: String) -> [String]? {
        let values = node.sequence?.compactMap(\.scalar?.string)
        if let values, values.count == node.sequence?.count { return values }
        refuse("\(name) must be a list of texts", at: node)
        return nil
    }

    private mutating func bool(_ node: Node, of name: String) -> Bool {
        // Not YAML's own rule, by which yes and off are booleans: the variables know no such words.
        if let value = node.scalar.flatMap({ Bool($0.string) }) { return value }
        refuse("\(name) must be true or false", at: node)
        return false
    }

    private mutating func trust(_ node: Node) -> Settings.Database.Trust {
        if let trust = node.scalar.flatMap({ Settings.Database.Trust(rawValue: $0.string) }) {
            return trust
        }
        let names = Settings.Database.Trust.allCases.map(\.rawValue).joined(separator: " or ")
        refuse("trust must be \(names)", at: node)
        return .schemaUntrusted
    }

    private mutating func refuse(_ why: String, at node: Node) {
        problems.append("\(path), line \(node.mark?.line ?? 0): \(why).")
    }
}

private let roles = Role.allCases.map(\.rawValue).joined(separator: ", ")

extension Node {
    /// Whether nothing stands after the colon.
    fileprivate var isEmptyValue: Bool { scalar.map { $0.string.isEmpty } ?? false }
}
