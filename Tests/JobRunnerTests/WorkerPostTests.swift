import JobCore
import Testing

@testable import JobRunner

/// What the broker and a worker share.
@Suite("A worker's post") struct WorkerPostTests {
    @Test(arguments: [1, 0xFFFF_FFFE, 0xFFFF_FFFF, 1 << 40] as [UInt64])
    func `orders that were taken back do not begin, the next one does`(first: UInt64) throws {
        let post = WorkerPost(worker: WorkerID(rawValue: 1))
        #expect(try begin(first, post))
        #expect(post.mark?.sequence == first)
        #expect(post.recall(upTo: first).isEmpty)
        #expect(post.recall(upTo: first + 3) == first + 1..<first + 4)
        for taken in first + 1...first + 3 { #expect(try !begin(taken, post)) }
        #expect(post.mark?.sequence == first)
        #expect(try begin(first + 4, post))
        #expect(try begin(first + 5, post))
        #expect(post.mark?.sequence == first + 5)
    }

    @Test func `how far the run is belongs to the order that runs`() throws {
        let post = WorkerPost(worker: WorkerID(rawValue: 1))
        #expect(post.mark == nil)
        let run = KernelRun()
        #expect(post.begin(order(1), run, at: Timestamp(rawValue: 5)))
        #expect(post.mark?.progress == nil)
        run.progress(done: 3, total: 9)
        #expect(post.mark?.progress == Progress(done: 3, total: 9))
        _ = post.end()
        #expect(post.mark?.progress == nil)
        #expect(post.begin(order(2), KernelRun(), at: Timestamp(rawValue: 6)))
        run.progress(done: 4, total: 9)
        #expect(post.mark?.progress == nil)
    }

    @Test func `an order is broken off before it begins, or forgotten when it never will`() throws {
        let post = WorkerPost(worker: WorkerID(rawValue: 1))
        for order in UInt64(1)...100 {
            post.breakOff(order + 1, .cancelled)
            #expect(try begin(order, post))
            #expect(post.end() == (order == 1 ? nil : .cancelled))
            post.breakOff(order, .stopping)  // It has ended, and its report is on the way.
            #expect(post.brokenOffCount == 2)
        }
        #expect(post.recall(upTo: 101) == 101..<102)
        #expect(try begin(102, post))
        #expect(post.brokenOffCount == 0)
    }

    @Test func `orders are taken as they were given together, and not copied`() throws {
        let post = WorkerPost(worker: WorkerID(rawValue: 1))
        let frame = Spec.Frame(number: 2, bytes: [UInt8](repeating: 7, count: 1 << 20))
        post.give([order(1, frame), order(2, frame)])
        post.give([order(3)])
        let taken = post.takeOrders()
        #expect(taken.map(\.sequence) == [1, 2])
        let places = ([frame] + taken.flatMap(\.frames)).map {
            $0.bytes.withUnsafeBytes(\.baseAddress)
        }
        #expect(Set(places).count == 1)
        #expect(post.takeOrders().map(\.sequence) == [3])
        #expect(post.takeOrders().isEmpty)
    }

    private func order(_ sequence: UInt64, _ frames: Spec.Frame...) -> Order {
        var spec = Spec(kind: .compute, body: [], timeoutMs: 1_000)
        spec.frames = frames
        let job = Waiting(
            id: JobID(rawValue: 1),
            next: Attempt(rawValue: 1),
            readyAt: Timestamp(rawValue: 1),
            spec: spec
        )
        return Order(sequence: sequence, job: job)
    }

    private func begin(_ sequence: UInt64, _ post: WorkerPost) throws -> Bool {
        post.begin(order(sequence), KernelRun(), at: Timestamp(rawValue: 5))
    }
}
