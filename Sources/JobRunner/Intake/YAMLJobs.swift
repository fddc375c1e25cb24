internal import JobWire
internal import Yams

// Reads `.yaml` files, by the same types as JSON has: a plain scalar that is JSON keeps its JSON
// type (7, 1.5, true, null, also ~ and nothing), and everything else is text, `yes` and
// 2026-01-01 included. What is quoted or tagged `!!str` is text. Other tags, aliases and several
// documents are refused.

extension JobCollector {
    mutating func readYAML() throws(JobFileProblem) {
        try refuseAliases()
        guard let root = try composed() else { return }
        let whole = try job(root)
        guard case .mapping(let mapping) = root,
            let jobs = mapping.first(where: { name($0.key) == "jobs" })?.value
        else { return try add(whole) }

        if let other = mapping.first(where: { name($0.key) != "jobs" }) {
            throw problem(
                "\(quoted(name(other.key) ?? "")) stands beside jobs.",
                at: spot(other.key),
                hint: "Put it into each job of the list."
            )
        }
        guard case .sequence(let list) = jobs else {
            throw problem("jobs must be a list of jobs.", at: spot(jobs))
        }
        for node in list { try add(try job(node)) }
    }

    private func composed() throws(JobFileProblem) -> Node? {
        do {
            let yaml = String(decoding: text, as: UTF8.self)
            return try Parser(yaml: yaml, resolver: .basic, encoding: .utf8).singleRoot()
        } catch let error as YamlError {
            throw problem(error)
        } catch {
            throw problem("The YAML cannot be read.", at: .byte(0))
        }
    }

    private func job(_ node: Node) throws(JobFileProblem) -> RawJob {
        guard case .mapping(let mapping) = node else {
            throw problem("A job must be a mapping of names to values.", at: spot(node))
        }
        var raw = RawJob(at: spot(node))
        raw.object = try object(mapping, depth: 1)
        for pair in mapping {
            if let name = name(pair.key) { raw.spots[name] = spot(pair.value) }
        }
        return raw
    }

    private func value(_ node: Node, depth: Int) throws(JobFileProblem) -> JSON {
        guard ["", "!", Tag.Name.str.rawValue].contains(node.writtenTag) else {
            throw problem(
                "The tag \(quoted(node.writtenTag)) is not accepted.",
                at: spot(node),
                hint: "Quote a value to make it text; leave its tag out."
            )
        }
        guard depth <= JSONLimits.standard.depth else {
            throw problem("Values are nested too deep.", at: spot(node))
        }
        switch node {
        case .scalar(let scalar): return scalar.json
        case .mapping(let mapping): return .object(try object(mapping, depth: depth + 1))
        case .sequence(let sequence):
            var elements: [JSON] = []
            for element in sequence { elements.append(try value(element, depth: depth + 1)) }
            return .array(elements)
        case .alias: throw problem("Aliases are refused.", at: spot(node))
        }
    }

    private func object(
        _ mapping: Node.Mapping,
        depth: Int
    ) throws(JobFileProblem) -> JSONObject {
        var object = JSONObject()
        for (key, node) in mapping {
            guard let name = name(key) else {
                throw problem("A name must be plain text.", at: spot(key))
            }
            guard object.append(name, try value(node, depth: depth)) else {
                throw problem("\(quoted(name)) stands twice in one mapping.", at: spot(key))
            }
        }
        return object
    }

    private func name(_ key: Node) -> String? {
        if case .scalar(let scalar) = key { scalar.string } else { nil }
    }

    private func spot(_ node: Node) -> Spot {
        guard let mark = node.mark else { return .byte(0) }
        return .place(JobFileProblem.Place(line: mark.line, column: mark.column))
    }

    private func problem(_ error: YamlError) -> JobFileProblem {
        switch error {
        case .scanner(_, let words, let mark, _), .parser(_, let words, let mark, _),
            .composer(_, let words, let mark, _):
            let place = JobFileProblem.Place(line: mark.line, column: mark.column)
            return problem("The YAML is wrong: \(words).", at: .place(place))
        case .duplicatedKeysInMapping(let names, let context):
            let mark = context.mark
            let place = JobFileProblem.Place(line: mark.line, column: mark.column)
            let name = quoted(names.first ?? "")
            return problem("\(name) stands twice in one mapping.", at: .place(place))
        case .reader(let words, let offset, _, let yaml):
            let bytes = String(yaml.prefix(offset ?? 0)).utf8.count
            return problem("The YAML is wrong: \(words).", at: .byte(bytes))
        default:
            return problem("The YAML cannot be read.", at: .byte(0))
        }
    }
}

extension Node {
    /// Empty where the file has none, `str` for quoted text; `tag` would guess one.
    fileprivate var writtenTag: String {
        switch self {
        case .scalar(let scalar): scalar.tag.rawValue
        case .mapping(let mapping): mapping.tag.rawValue
        case .sequence(let sequence): sequence.tag.rawValue
        case .alias(let alias): alias.tag.rawValue
        }
    }
}

extension Node.Scalar {
    fileprivate var json: JSON {
        guard style == .plain, tag.rawValue.isEmpty else { return .string(string) }
        switch string {
        case "", "~", "Null", "NULL": return nil
        case "True", "TRUE": return true
        case "False", "FALSE": return false
        default: break
        }
        switch try? JSON(parsing: Array(string.utf8)) {
        case nil, .string, .array, .object: return .string(string)
        case .some(let scalar): return scalar
        }
    }
}

// MARK: Bombs

extension JobCollector {
    /// Refuses a text in which a name stands as an anchor (`&name`) and as an alias (`*name`).
    ///
    /// It must happen before the text is read: a small file of aliases to aliases can stand for
    /// more values than any machine holds, and the library hashes such values when they are keys.
    /// Without both there can be no alias. SQL within a file may look like it, so rarely that a
    /// refusal which says how to write it does no harm.
    private func refuseAliases() throws(JobFileProblem) {
        let anchors = Set(marked(by: UInt8(ascii: "&")).map { String(decoding: $0, as: UTF8.self) })
        guard !anchors.isEmpty else { return }
        for alias in marked(by: UInt8(ascii: "*")) {
            guard anchors.contains(String(decoding: alias, as: UTF8.self)) else { continue }
            throw problem(
                "\(quoted("*" + String(decoding: alias, as: UTF8.self))): aliases are refused.",
                at: .byte(alias.startIndex - 1),
                hint: "Write the value out. In SQL, put a space after & and *."
            )
        }
    }

    /// The names that follow `mark` where a token of YAML may begin.
    private func marked(by mark: UInt8) -> [ArraySlice<UInt8>] {
        var found: [ArraySlice<UInt8>] = []
        for (place, byte) in text.enumerated() where byte == mark {
            let isInside = place > 0 && (isNameByte(text[place - 1]) || text[place - 1] == closing)
            let name = text[(place + 1)...].prefix(while: isNameByte)
            if !isInside, !name.isEmpty { found.append(name) }
        }
        return found
    }
}

/// After it nothing but a plain text goes on: `sum(a)&b`.
private let closing = UInt8(ascii: ")")

/// As libyaml's `IS_ALPHA`, of which the names of anchors consist.
private func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "-"):
        true
    default: false
    }
}
