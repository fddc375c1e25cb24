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
}
