internal import Glibc

/// How often a test repeats what chance decides: as often as the variable `MILLRACE_TEST_COUNT`
/// says, or as is enough for every day.
public func testCount(_ usual: Int) -> Int {
    getenv("MILLRACE_TEST_COUNT").flatMap { Int(String(cString: $0)) } ?? usual
}
