public import JobCore
internal import JobWire
internal import Synchronization

/// The bytes of a large result, piece by piece: each is asked for when it is wanted.
public struct ResultPieces: AsyncSequence, Sendable {
    let client: AsyncJobClient
    let id: JobID
    let pieceBytes: Int

    public func makeAsyncIterator() -> Iterator {
        Iterator(client: client, id: id, pieceBytes: pieceBytes)
    }

    public struct Iterator: AsyncIteratorProtocol {
        let client: AsyncJobClient
        let id: JobID
        let pieceBytes: Int
        private var reading: Reading?

        init(client: AsyncJobClient, id: JobID, pieceBytes: Int) {
            self.client = client
            self.id = id
            self.pieceBytes = pieceBytes
        }

        /// The outcome of the job, whether good or bad, without the bytes; nil before the first
        /// piece.
        public var end: JobResult? { reading?.end }

        public mutating func next() async throws(ClientError) -> [UInt8]? {
            var reading = try await begun()
            if reading.isOver { return nil }
            let bytes = try reading.heard(try await client.call(reading.letter))
            self.reading = reading
            return bytes
        }

        private func begun() async throws(ClientError) -> Reading {
            if let reading { return reading }
            let most = try await client.limit("reply_bytes", usual: Limits().replyBytes)
            return Reading(id, most: pieceBytes < most ? pieceBytes : most)
        }
    }
}

/// What the runner told once of its limits.
final class Known: Sendable {
    private let told = Mutex<JSON?>(nil)
    var value: JSON? { told.withLock { $0 } }
    func set(_ limits: JSON) { told.withLock { $0 = limits } }
}

extension AsyncJobClient {
    /// The bytes of a result of any size, of which only one piece is in memory. The job must have
    /// ended.
    public func pieces(of id: JobID, pieceBytes: Int = 8 << 20) -> ResultPieces {
        ResultPieces(client: self, id: id, pieceBytes: pieceBytes)
    }
}
