import Foundation
import Testing

/// The program that stops, kills or fails a call of the system on demand.
enum Strace {
    static func path() throws -> String {
        try #require(
            ["/usr/bin/strace", "/bin/strace"].first(where: FileManager.default.isExecutableFile),
            "strace must be installed: run deploy/test"
        )
    }
}
