internal import FuzzEntries
internal import Glibc

/// What libFuzzer calls with bytes of its making; `MILLRACE_FUZZ_ENTRY` says where they go.
private let entry =
    getenv("MILLRACE_FUZZ_ENTRY").flatMap { FuzzEntry(rawValue: String(cString: $0)) } ?? .frames

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    entry.read(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}
