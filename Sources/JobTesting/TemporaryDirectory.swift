internal import Foundation

/// A directory of a test's own, removed with all that is in it when nobody holds it any more.
public final class TemporaryDirectory: Sendable {
    public let path: String

    public init() throws {
        // Short, for the path of a socket must fit into 107 bytes.
        var template = Array("/tmp/millrace-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw NeverHappened("a temporary directory") }
        path = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Makes a program of a script for bash.
    ///
    /// Another process writes it: what this one has open for writing, the children of other threads
    /// have too until they are programs of their own, and Linux starts nothing that somebody has
    /// open for writing.
    ///
    /// - Returns: Its path.
    @discardableResult
    public func program(_ name: String, _ script: String) throws -> String {
        let program = path + "/" + name
        let writer = try ChildProcess(
            "/bin/bash",
            ["-c", #"printf '#!/bin/bash\n%s\n' "$1" >"$0" && chmod 755 "$0""#, program, script],
            environment: RunnerProcess.environment,
            directory: path
        )
        guard try writer.waitForEnd() == 0 else { throw NeverHappened("\(program) is written") }
        return program
    }
}
