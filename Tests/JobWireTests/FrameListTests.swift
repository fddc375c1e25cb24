import JobTesting
import JobWire
import Testing

/// Frames whose boundaries are kept.
struct FrameListTests {
    @Test func `a list of frames is taken apart as it was put together`() throws {
        var random = SeededGenerator(seed: 6)
        for _ in 0..<500 {
            let frames = (0..<Int.random(in: 0...5, using: &random)).map { _ in
                (0..<Int.random(in: 0...9, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
            }
            let joined = FrameList.joined(frames)
            #expect(FrameList.split(joined) == frames)
            guard !joined.isEmpty else { continue }
            let piece = Array(joined.dropLast())
            #expect(FrameList.split(piece).map(FrameList.joined).map { $0 == piece } ?? true)
        }
        #expect(FrameList.joined([[1], [2, 3]]) == [0, 0, 0, 1, 1, 0, 0, 0, 2, 2, 3])
        #expect(FrameList.split([]) == [])
        for bytes: [UInt8] in [[0], [0, 0, 0], [0, 0, 0, 1], [255, 255, 255, 255, 1]] {
            #expect(FrameList.split(bytes) == nil)
        }
    }
}
