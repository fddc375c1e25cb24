import Foundation
import JobRunner
import Synchronization

/// A thread that cancels a run a little later.
final class Canceller: Sendable {
    private let done = DispatchSemaphore(value: 0)

    init(_ run: KernelRun, spins: Int) {
        let done = done
        Thread.detachNewThread {
            let count = Atomic(0)
            while count.add(1, ordering: .relaxed).newValue < spins {}
            run.cancel()
            done.signal()
        }
    }

    func join() { done.wait() }
}

func overwrite(_ path: String, at offset: UInt64, with byte: UInt8) throws {
    let file = try FileHandle(forUpdating: URL(filePath: path))
    try file.seek(toOffset: offset)
    try file.write(contentsOf: [byte])
    try file.close()
}
