import Foundation
import JobTesting
import Synchronization
import ZeroMQ

/// A front door that acknowledges a submission when it passes it on, before anything is committed:
/// what a runner would be that does not keep its first promise. It lives and dies with a run.
final class HastyFront: Sendable {
    let endpoint: String
    private let isClosed = Atomic(false)
    private let ended = DispatchSemaphore(value: 0)

    init(before runner: String, in directory: String) {
        let endpoint = "ipc://\(directory)/front-\(UInt32.random(in: 0...(.max)))"
        self.endpoint = endpoint
        let ready = DispatchSemaphore(value: 0)
        Thread.detachNewThread { [self] in
            defer { ended.signal() }
            do {
                let context = try Context()
                let clients = try Socket(.router, in: context)
                try clients.bind(endpoint)
                let backend = try Socket(.dealer, in: context)
                try backend.connect(runner)
                ready.signal()
                try pass(clients, backend)
            } catch {
                ready.signal()
            }
        }
        ready.wait()
    }

    func close() {
        isClosed.store(true, ordering: .relaxed)
        ended.wait()
    }

    private func pass(_ clients: borrowing Socket, _ backend: borrowing Socket) throws {
        var poll = PollSet()
        _ = poll.add(clients)
        _ = poll.add(backend)
        var client: [UInt8] = []
        while !isClosed.load(ordering: .relaxed) {
            try poll.wait(timeout: .milliseconds(5))
            while case .message(let frames) = try clients.receive(
                limits: .unlimited,
                waiting: false
            ) {
                client = frames[0]
                _ = try backend.send(Array(frames.dropFirst()), waiting: false)
                if let promise = promise(frames) { _ = try clients.send(promise, waiting: false) }
            }
            while case .message(let frames) = try backend.receive(
                limits: .unlimited,
                waiting: false
            ) {
                if frames[2] == Array("job.submit".utf8) { continue }
                _ = try clients.send([client] + frames, waiting: false)
            }
        }
    }

    /// The acknowledgement of a submission, with ids that mean nothing.
    private func promise(_ frames: [[UInt8]]) -> [[UInt8]]? {
        guard frames.count > 4, frames[3] == Array("job.submit".utf8) else { return nil }
        let body = String(decoding: frames[4], as: UTF8.self)
        let name = body.dropFirst(#"{"request":""#.count).prefix { $0 != "\"" }
        let count = body.components(separatedBy: #""key":"#).count - 1
        let ids = Array(repeating: "-1", count: count).joined(separator: ",")
        let head = #"{"request":"\#(name)","ids":[\#(ids)]}"#
        return Array(frames[0..<4]) + [Array("200".utf8), Array(head.utf8)]
    }
}
