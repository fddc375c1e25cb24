internal import JobCore
internal import JobWire

/// What the broker and a worker say to each other over their sockets: orders, and reports.
///
/// A worker's routing id is its number, in decimal; its first message is empty and says that it is
/// there.
enum WorkerLink {
    static let ready: [[UInt8]] = [[]]

    static func address(of worker: WorkerID) -> [UInt8] { Array(String(worker.rawValue).utf8) }

    static func frames(for orders: [Order], to worker: WorkerID) -> [[UInt8]] {
        [address(of: worker)] + Order.frames(for: orders)
    }

    /// What a message is about, as the broker's socket gives it, routing id first; nil when it
    /// cannot be read.
    static func event(_ frames: [[UInt8]]) -> Event? {
        guard let address = frames.first, let number = Int(String(decoding: address, as: UTF8.self))
        else { return nil }
        let worker = WorkerID(rawValue: number)
        if frames.dropFirst().elementsEqual(ready) { return .ready(worker) }
        guard let reports = try? Report.read(Array(frames.dropFirst())),
            reports.allSatisfy({ $0.worker == worker })
        else { return nil }
        return .reported(reports)
    }
}
