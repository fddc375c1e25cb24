internal import JobCore
internal import Synchronization

/// What the broker and a worker say to each other over their sockets: orders, and reports.
///
/// A worker's routing id is its number, in decimal; its first message is empty and says that it is
/// there. Orders lie with the worker's post, and reports on a shelf, of which the message says
/// where: an input or a result of many megabytes is not copied on the broker's thread, nor for each
/// part of a divided job.
enum WorkerLink {
    static let ready: [[UInt8]] = [[]]

    /// To a worker that was given up: it may be waiting for orders by now.
    static func goodbye(to worker: WorkerID) -> [[UInt8]] { [address(of: worker), []] }

    static func address(of worker: WorkerID) -> [UInt8] { Array(String(worker.rawValue).utf8) }

    /// To a worker for which orders lie with its post.
    static func call(_ worker: WorkerID) -> [[UInt8]] { [address(of: worker), [1]] }

    static func frames(for reports: [Report], on shelf: ReportShelf) -> [[UInt8]] {
        [Array(String(shelf.put(reports)).utf8)]
    }

    /// What a message is about, as the broker's socket gives it, routing id first; nil when it
    /// cannot be read.
    static func event(_ frames: [[UInt8]], from shelf: ReportShelf) -> Event? {
        guard frames.count == 2, let number = Int(String(decoding: frames[0], as: UTF8.self))
        else { return nil }
        let worker = WorkerID(rawValue: number)
        if frames[1].isEmpty { return .ready(worker) }
        guard let place = UInt64(String(decoding: frames[1], as: UTF8.self)),
            let reports = shelf.take(place), reports.allSatisfy({ $0.worker == worker })
        else { return nil }
        return .reported(reports)
    }
}

/// Where all workers leave their reports for the broker.
final class ReportShelf: Sendable {
    private struct Places {
        var taken: [UInt64: [Report]] = [:]
        var last: UInt64 = 0
    }

    private let places = Mutex(Places())

    /// - Returns: Where they are.
    func put(_ reports: [Report]) -> UInt64 {
        places.withLock { places in
            places.last += 1
            places.taken[places.last] = reports
            return places.last
        }
    }

    /// Nil when nothing is there (any more).
    func take(_ place: UInt64) -> [Report]? {
        places.withLock { $0.taken.removeValue(forKey: place) }
    }
}
