internal import JobCore
internal import JobWire

/// Where `submit FILE` and `check FILE` get jobs from: the parser of the spool directory.
enum JobFiles {
    /// Reads the jobs of one file, in the protocol's words, or says what is wrong with it.
    static func jobs(inFile path: String) throws -> [JSON] {
        throw JobFileError(path: path)
    }
}

/// A job file that cannot be used.
struct JobFileError: Explained, Equatable {
    let path: String
    var summary: String { "\(path): this program reads no job files yet." }
    var hint: String? { "Use --sql or --kernel." }
}
