internal import JobCore
internal import JobStorage

/// Where workers find the binary frames that were left in the store. It is asked seldom, so it
/// opens the store anew each time.
struct StoredFrames: Sendable {
    let path: String
    let limits: Limits

    /// The order with all of its frames.
    func fill(_ order: Order) throws(Failure) -> Order {
        guard order.framesAreStored else { return order }
        var order = order
        order.frames = try frames(of: order.job)
        order.framesAreStored = false
        return order
    }

    private func frames(of job: JobID) throws(Failure) -> [Spec.Frame] {
        do throws(StoreError) {
            if let frames = try StoreReader(path: path, limits: limits).frames(of: job) {
                return frames
            }
        } catch {
            if case .corrupt = error { throw .damaged }
            // It may pass: another attempt is made.
            throw Failure(.damaged, error.summary, hint: error.hint)
        }
        throw .damaged  // Nothing is kept of it any more.
    }
}
