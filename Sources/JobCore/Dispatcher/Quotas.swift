/// What each client uses of what all share: unanswered requests, and jobs submitted in a second.
struct Quotas {
    private let mostRequests: Int
    /// Jobs a second; 0 is no limit.
    private let rate: Int64
    private var requests: [Account: Int] = [:]
    private var purses: [Account: Purse] = [:]
    /// How many purses there may be before full ones, which say nothing, are thrown away.
    private var mostPurses = 1_024

    /// How many thousandths of a job a client may submit now: a second's worth at most, and below
    /// zero after a batch that was larger. (A token bucket.)
    private struct Purse {
        var thousandths: Int64
        var at: Timestamp

        mutating func fill(_ rate: Int64, at now: Timestamp) {
            // A purse that is never so deep in debt needs no more to be full.
            let ms = min(max(now.ms(since: at), 0), 1_000_000_000)
            thousandths = min(thousandths + ms * rate, rate * 1_000)
            at = now
        }
    }

    init(_ limits: Limits) {
        mostRequests = limits.requestsPerClient
        rate = limits.jobsPerSecondPerClient
    }

    /// Clients whose rate is remembered.
    var count: Int { purses.count }

    /// True when no request is under way.
    var isIdle: Bool { requests.isEmpty }

    /// False, and nothing is counted, when the client has as many requests under way as it may.
    mutating func begin(for account: Account) -> Bool {
        let count = requests[account] ?? 0
        guard count < mostRequests else { return false }
        requests[account] = count + 1
        return true
    }

    mutating func end(for account: Account) {
        guard let count = requests[account] else { return }
        requests[account] = count > 1 ? count - 1 : nil
    }

    /// - Returns: How long the client should wait, in ms, when it may submit nothing now.
    mutating func charge(_ jobs: Int, to account: Account, at now: Timestamp) -> Int64? {
        guard rate > 0 else { return nil }
        var purse = purses[account] ?? Purse(thousandths: rate * 1_000, at: now)
        purse.fill(rate, at: now)
        defer { keep(purse, of: account, at: now) }
        guard purse.thousandths > 0 else { return -purse.thousandths / rate + 1 }
        purse.thousandths -= Int64(jobs) * 1_000
        return nil
    }

    /// The jobs were refused: they do not count.
    mutating func refund(_ jobs: Int, to account: Account) {
        purses[account]?.thousandths += Int64(jobs) * 1_000
    }

    private mutating func keep(_ purse: Purse, of account: Account, at now: Timestamp) {
        purses[account] = purse
        guard purses.count > mostPurses else { return }
        purses = purses.filter { _, purse in
            var filled = purse
            filled.fill(rate, at: now)
            return filled.thousandths < rate * 1_000
        }
        mostPurses = max(1_024, purses.count * 2)
    }
}
