import JobTesting

@testable import JobCore

/// An external worker of a story, and what is on its way to it. It may go in the middle of a run,
/// come again under the same address, answer twice, too late or for another.
struct StoryExternal {
    let kernel: String
    /// As it takes itself to be.
    var isAttached = false
    /// False while it is away, and nothing reaches it.
    var isThere = true
    var inbox: [ExternalMessage.Word] = []
    var current: OrderAddress?
    /// What it has answered or forgotten.
    var old: [OrderAddress] = []

    mutating func forget() {
        isAttached = false
        inbox = []
        if let current { old.append(current) }
        current = nil
    }
}

/// All external workers, and what the dispatcher takes them to run.
struct StoryExternals {
    var workers: [ClientID: StoryExternal] = [:]
    var orders: [ClientID: OrderAddress] = [:]
    /// What could not be sent, to be told at once.
    var unsent: [Event] = []

    init(using chance: inout SeededGenerator) {
        for number in 0..<UInt8.random(in: 0...3, using: &chance) {
            let kernel = number == 1 ? "l" : "k"
            workers[ClientID(rawValue: [100 + number])] = StoryExternal(kernel: kernel)
        }
    }

    var kernels: [String] { Set(workers.values.map(\.kernel)).sorted() }

    var peers: [ClientID] { workers.keys.sorted { $0.rawValue[0] < $1.rawValue[0] } }

    var isQuiet: Bool {
        orders.isEmpty
            && workers.values.allSatisfy {
                $0.isThere && $0.isAttached && $0.current == nil && $0.inbox.isEmpty
            }
    }

    mutating func restart() { (orders, unsent) = ([:], []) }
}

extension StoryWorld {
    // MARK: What they are told

    mutating func tell(_ message: ExternalMessage) throws(Violation) {
        note("external worker \(message.to.rawValue[0]) is told \(message.word)".prefix(200) + "")
        let isThere = externals.workers[message.to]?.isThere == true
        switch message.word {
        case .request(let address, _, _):
            try check(address, for: message.to)
            externals.orders[message.to] = address
            if isThere {
                counts.begun.insert(Run(job: address.job, attempt: address.attempt))
            }
        case .disconnect: externals.orders[message.to] = nil
        case .heartbeat: break
        }
        if isThere {
            externals.workers[message.to]?.inbox.append(message.word)
        } else if message.word != .disconnect {
            externals.unsent.append(.unreachable(message.to, message.address))
        }
    }

    /// What could not be sent is known before anything else is heard.
    mutating func hearWhatWasNotSent() throws(Violation) {
        while !externals.unsent.isEmpty {
            let event = externals.unsent.removeFirst()
            if case .unreachable(let peer, _) = event { externals.orders[peer] = nil }
            try hear(event)
        }
    }

    private mutating func check(
        _ order: OrderAddress,
        for peer: ClientID
    ) throws(Violation) {
        let job = order.job
        guard let spec = ledger.specs[job] else {
            throw Violation(sentence: "job \(job.rawValue) goes out after its insert is a fact")
        }
        let kernel = externals.workers[peer]?.kernel
        try check(spec.skill == kernel, "job \(job.rawValue) goes to a worker for its kernel")
        try check(externals.orders[peer] == nil, "an external worker has one job at a time")
        let others = externals.orders.values.contains { $0.job == job }
        try check(!others, "job \(job.rawValue) is with one external worker at a time")
        try check(ledger.holders[job, default: []].isEmpty, "and with no other")
        try checkMayStart(job, spec)
    }

    // MARK: What they do

    mutating func letAnExternalAct() throws(Violation) {
        guard let peer = externals.peers.randomElement(using: &chance) else { return }
        if weather.faults, Int.random(in: 0..<8, using: &chance) == 0 { return try misbehave(peer) }
        try act(peer)
    }

    mutating func letAllExternalsAct() throws(Violation) {
        for peer in externals.peers {
            for _ in 0..<4 { try act(peer) }
        }
    }

    private mutating func act(_ peer: ClientID) throws(Violation) {
        guard var worker = externals.workers[peer], !hasExited else { return }
        defer { _ = worker }
        if !worker.isThere {
            worker.isThere = true
            externals.workers[peer] = worker
        } else if !worker.isAttached {
            worker.isAttached = true
            externals.workers[peer] = worker
            try say(.ready(kernel: worker.kernel), peer)
        } else if let address = worker.current {
            try goOn(address, peer)
        } else if !worker.inbox.isEmpty {
            let word = worker.inbox.removeFirst()
            if case .request(let address, _, _) = word { worker.current = address }
            if case .disconnect = word { worker.forget() }
            externals.workers[peer] = worker
        } else {
            try say(.heartbeat, peer)
        }
    }

    private mutating func goOn(_ address: OrderAddress, _ peer: ClientID) throws(Violation) {
        if ledger.killers.contains(address.job) { return goAway(peer) }
        let fate = weather.faults ? Int.random(in: 0..<100, using: &chance) : 99
        if fate < 40 { return }  // It takes long.
        externals.workers[peer]?.current = nil
        externals.workers[peer]?.old.append(address)
        let failure = Failure(.kernelError, "It went wrong.", isPermanent: fate < 43)
        try say(fate < 50 ? .failure(address, failure) : reply(to: address), peer)
    }

    private func reply(to address: OrderAddress) -> ExternalWord {
        let text = "\(address.job.rawValue)/\(address.attempt.rawValue) in run, outside"
        return .reply(address, Outcome(format: .bytes, bytes: Array(text.utf8)))
    }

    private mutating func goAway(_ peer: ClientID) {
        note("external worker \(peer.rawValue[0]) goes away")
        externals.workers[peer]?.forget()
        externals.workers[peer]?.isThere = false
    }

    private mutating func misbehave(_ peer: ClientID) throws(Violation) {
        guard let worker = externals.workers[peer], worker.isThere, !hasExited else { return }
        let addresses = externals.workers.values.flatMap {
            $0.old + [$0.current].compactMap(\.self)
        }
        switch Int.random(in: 0..<8, using: &chance) {
        case 0: goAway(peer)
        case 1:
            externals.workers[peer]?.forget()
            try say(.disconnect, peer)
        case 2:
            externals.workers[peer]?.forget()
            externals.workers[peer]?.isAttached = true
            try say(.ready(kernel: worker.kernel), peer)
        case 3:
            externals.workers[peer]?.forget()
            try say(.unreadable, peer)
        case 4: try say(.ready(kernel: "nobody's"), peer)
        default:
            guard var address = addresses.randomElement(using: &chance) else { return }
            if Bool.random(using: &chance) { address.token &+= 1 }
            if externals.orders[peer] == address { return }
            try sayLate(reply(to: address), peer)
        }
    }

    private mutating func say(_ word: ExternalWord, _ peer: ClientID) throws(Violation) {
        switch word {
        case .ready, .disconnect, .unreadable: externals.orders[peer] = nil
        case .reply(let address, _), .failure(let address, _):
            if externals.orders[peer] == address { externals.orders[peer] = nil }
        case .heartbeat: break
        }
        try hear(.heardExternal(word, from: peer))
    }

    /// Under an address that is not the one under way.
    private mutating func sayLate(_ word: ExternalWord, _ peer: ClientID) throws(Violation) {
        let (reports, dropped) = (unwritten.compactMap(\.report).count, dispatcher.dropped)
        try say(word, peer)
        let after = unwritten.compactMap(\.report).count
        try check(after == reports, "what an external worker says too late changes nothing")
        try check(dispatcher.dropped > dropped, "and is counted")
    }
}
