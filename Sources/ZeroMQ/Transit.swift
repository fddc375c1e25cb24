internal import CZeroMQ
internal import Synchronization

/// Counts the bytes of large frames that libzmq has taken and not yet passed on.
///
/// High-water marks count messages, and a thousand of them may be a thousand times 16 MiB. libzmq
/// frees a frame when it has been written to the connection, or the connection is gone
/// (`zmq_msg_init_data(3)`): that is when it no longer counts.
public final class Transit: Sendable {
    /// Frames of fewer bytes are not counted: the high-water mark bounds what they can add up to.
    public static let countedFrom = 4 << 10

    private let sum = Atomic(0)
    private let all: Transit?

    /// What this one counts, `all` counts as well.
    public init(within all: Transit? = nil) { self.all = all }

    public var bytes: Int { sum.load(ordering: .relaxed) }

    func add(_ bytes: Int) {
        sum.add(bytes, ordering: .relaxed)
        all?.add(bytes)
    }

    func remove(_ bytes: Int) {
        sum.subtract(bytes, ordering: .relaxed)
        all?.remove(bytes)
    }
}

/// A frame that libzmq frees, and what counts it until then.
final class Cargo {
    private let bytes: Int
    private let transit: Transit

    private init(_ bytes: Int, _ transit: Transit) {
        self.bytes = bytes
        self.transit = transit
    }

    fileprivate func arrived() { transit.remove(bytes) }

    /// Makes a message of a copy of the frame; false, with the reason in `errno`, when libzmq has
    /// no memory for it.
    static func load(
        _ frame: [UInt8],
        into message: inout zmq_msg_t,
        counting transit: Transit
    ) -> Bool {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: frame.count, alignment: 8)
        copy.copyBytes(from: frame)
        transit.add(frame.count)
        let cargo = Unmanaged.passRetained(Cargo(frame.count, transit)).toOpaque()
        if zmq_msg_init_data(&message, copy.baseAddress, copy.count, unload, cargo) == 0 {
            return true
        }
        unload(copy.baseAddress, cargo)
        return false
    }
}

/// Called by libzmq, on whichever of its threads has done with the frame.
private let unload: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutableRawPointer?) -> Void = {
    copy,
    cargo in
    copy?.deallocate()
    guard let cargo else { return }
    Unmanaged<Cargo>.fromOpaque(cargo).takeRetainedValue().arrived()
}
