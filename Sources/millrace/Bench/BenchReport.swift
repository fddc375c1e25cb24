internal import Foundation
internal import Glibc
internal import JobWire
internal import SQLite

/// What the figures were measured on, so that others can measure them again.
struct BenchReport {
    let plan: BenchPlan
    let book: BenchBook
    /// Where the stores were; nil when another's runner was measured.
    let directory: String?

    var machine: JSON {
        var system = utsname()
        uname(&system)
        let release = withUnsafeBytes(of: &system.release) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        let memoryKiB = Self.field("MemTotal", in: "/proc/meminfo").split(separator: " ").first
        var machine: JSON = [
            "processor": .string(Self.field("model name", in: "/proc/cpuinfo")),
            "cores": .integer(Int64(sysconf(CInt(_SC_NPROCESSORS_ONLN)))),
            "memory_bytes": .integer((memoryKiB.flatMap { Int64($0) } ?? 0) * 1_024),
            "system": .string(Self.systemName), "kernel": .string(release),
        ]
        if let directory, var object = machine.objectValue {
            let type = BenchDirectory.fileSystem(of: directory)
            _ = object.append("file_system", .string(type))
            machine = .object(object)
        }
        return machine
    }

    private static var systemName: String {
        let lines = ProcessFiles.text("/etc/os-release").split(separator: "\n")
        let name = lines.first { $0.hasPrefix("PRETTY_NAME=") }
        return name.map { $0.dropFirst(12).filter { $0 != "\"" } } ?? "unknown"
    }

    /// The first value of that name, in files with a colon after names.
    private static func field(_ name: String, in path: String) -> String {
        let lines = ProcessFiles.text(path).split(separator: "\n")
        let line = lines.first { $0.hasPrefix(name) }
        guard let value = line?.split(separator: ":", maxSplits: 1).last else { return "unknown" }
        return value.trimmingCharacters(in: .whitespaces)
    }

    var versions: JSON {
        let sqlite = (try? Connection().row("SELECT sqlite_version()"))??.first
        guard case .text(let version)? = sqlite else { return [:] }
        return ["millrace": .string(Program.version), "sqlite": .string(version)]
    }

    var settings: JSON {
        var settings: JSON = [
            "batch": .integer(Int64(plan.batch)), "clients": .integer(Int64(plan.clients)),
            "repeat": .integer(Int64(plan.repeats)), "scale": .real(plan.scale),
        ]
        guard var object = settings.objectValue else { return settings }
        if directory != nil {
            _ = object.append("runner", .array(BenchProcess.settingsText.map(JSON.string)))
        }
        if let jobs = plan.jobs { _ = object.append("jobs", .integer(Int64(jobs))) }
        if let waiting = plan.waiting { _ = object.append("waiting", .integer(Int64(waiting))) }
        settings = .object(object)
        return settings
    }

    var json: JSON {
        var object = JSONObject()
        let members =
            [("machine", machine), ("versions", versions), ("settings", settings)] + book.json
        for (key, value) in members { _ = object.append(key, value) }
        return .object(object)
    }

    /// One line about the machine, for people.
    var headline: String {
        let machine = machine
        let cores = machine["cores"]?.integerValue ?? 0
        let memory = machine["memory_bytes"]?.integerValue ?? 0
        let words = ["processor", "system", "kernel", "file_system"].compactMap {
            machine[$0]?.stringValue
        }
        return
            (words.prefix(1) + ["\(Words.count(cores, "core")), \(Words.bytes(memory))"]
            + words.dropFirst()).joined(separator: " · ")
    }
}
