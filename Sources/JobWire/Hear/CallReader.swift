internal import JobCore

/// Makes the job of a direct call, or of `titanic.request`, out of a kernel's name and the frames
/// behind it. What they mean is for the kernel to say: here nothing looks into them.
struct CallReader {
    let kernel: String
    /// One at least: no frame at all is taken for an empty one.
    let frames: [[UInt8]]
    private let isExternal: Bool

    init(kernel: String, frames: [[UInt8]], _ catalog: Catalog) {
        self.kernel = kernel
        isExternal = catalog.externalKernels.contains(kernel)
        self.frames = frames.isEmpty ? [[]] : frames
    }

    func submission(_ limits: Limits) -> Submission {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("kernel", .string(kernel))
        writer.member("call", .bool(true))
        writer.endObject()
        var spec = Spec(kind: .compute, body: writer.finish(), timeoutMs: limits.timeoutMs)
        spec.frames = frames.enumerated().map { Spec.Frame(number: $0 + 1, bytes: $1) }
        spec.sort = Spec.sort(ofKernel: kernel)
        spec.skill = isExternal ? kernel : nil
        return Submission(spec: spec, fingerprint: fingerprint)
    }

    /// The same in every process: a run that ended one is known again by it.
    private var fingerprint: UInt64 {
        var digest = Digest()
        digest.add(kernel)
        for frame in frames {
            digest.add(UInt64(frame.count))
            digest.add(frame)
        }
        return digest.value
    }

    /// `Hasher` is SipHash under a random key of this process, so that nobody can make two calls
    /// that are alike in it. Twice 64 bits, for an answer must not be another call's by chance.
    var digest: CallDigest { CallDigest(high: hash(after: 1), low: hash(after: 0)) }

    private func hash(after mark: UInt8) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(mark)
        hasher.combine(kernel)
        for frame in frames {
            hasher.combine(frame.count)
            frame.withUnsafeBytes { hasher.combine(bytes: $0) }
        }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}

extension Spec {
    /// Jobs of one kernel are expected to take alike.
    static func sort(ofKernel kernel: String) -> UInt64 {
        var digest = Digest()
        digest.add(Kind.compute.rawValue)
        digest.add(kernel)
        return digest.value
    }
}
