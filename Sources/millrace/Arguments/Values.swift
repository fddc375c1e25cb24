internal import ArgumentParser
internal import Glibc
internal import JobCore
internal import JobWire

/// Values on the command line, as the protocol's JSON.
enum Values {
    /// A JSON scalar has that type, everything else is text.
    static func scalar(_ text: String) -> JSON {
        switch try? JSON(parsing: Array(text.utf8)) {
        case nil, .array, .object: .string(text)
        case let value?: value
        }
    }

    /// The values for `?`, in order, or those for `:name`; nil when there are none.
    static func parameters(positional: [String], named: [String]) throws -> JSON? {
        guard !named.isEmpty else {
            return positional.isEmpty ? nil : .array(positional.map(scalar))
        }
        guard positional.isEmpty else {
            throw ValidationError("Use either --param, for ?, or --named, for :name, not both.")
        }
        return .object(try self.named(named, as: scalar))
    }

    /// What is written as `NAME=VALUE`, by name; the values are text unless told.
    static func named(
        _ pairs: [String],
        as value: (String) -> JSON = JSON.string
    ) throws -> JSONObject {
        var object = JSONObject()
        for pair in pairs {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw ValidationError("'\(pair)' must be written as NAME=VALUE.")
            }
            guard object.append(String(parts[0]), value(String(parts[1]))) else {
                throw ValidationError("'\(parts[0])' is given twice.")
            }
        }
        return object
    }

    /// A kernel's input: JSON text, `@file`, or `-` for standard input.
    static func input(_ text: String) throws -> JSON { try JSON(parsing: bytes(text)) }

    /// The text itself, or what is in `@file`, or on standard input for `-`.
    static func bytes(_ text: String) throws -> [UInt8] {
        switch text.first {
        case "-" where text == "-": try contents(ofFile: "/dev/stdin")
        case "@": try contents(ofFile: String(text.dropFirst()))
        default: Array(text.utf8)
        }
    }

    /// The whole of a file that goes into one message.
    static func contents(ofFile path: String) throws -> [UInt8] {
        guard let file = fopen(path, "r") else { throw FileError(path: path, errno: errno) }
        defer { fclose(file) }
        let most = Limits().messageBytes
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count <= most {
            let count = fread(&chunk, 1, chunk.count, file)
            if count == 0 { break }
            bytes += chunk.prefix(count)
        }
        guard ferror(file) == 0 else { throw FileError(path: path, errno: errno) }
        guard bytes.count <= most else { throw FileError(path: path, errno: EFBIG) }
        return bytes
    }
}

/// A file that cannot be read or written.
struct FileError: Explained, Equatable {
    let path: String
    let errno: CInt

    var summary: String { "\(path): \(String(cString: strerror(errno)))." }
    var hint: String? { nil }
}
