import JobCore
import Testing

@testable import JobWire

/// Which role may ask for what.
@Suite struct PermissionTests {
    private static let served: [Role: Set<String>] = [
        .read: [
            "job.show", "job.result", "job.wait", "job.list", "queue.list", "sys.ping", "sys.info",
            "sys.stats", "mmi.service", "titanic.reply",
        ],
        .submit: [
            "job.submit", "job.cancel", "job.retry", "job.delete", "titanic.request",
            "titanic.close",
        ],
        .admin: ["queue.pause", "queue.resume", "sys.drain"],
    ]

    private func refusal(_ service: String, _ role: Role, _ body: String = "") -> Refusal? {
        let peer = Peer(owner: Owner(rawValue: "ada"), role: role)
        let frames = message(service, Array(body.utf8))
        guard case .refused(let said) = Ear(catalog).hear(frames, from: peer),
            case .refused(let refusal) = said.reply
        else { return nil }
        #expect(said.to.peer == peer)
        return refusal
    }

    @Test func `every service is for one role and those above it`() {
        #expect(
            Set(Service.allCases.map(\.rawValue)) == Self.served.values.reduce([], { $0.union($1) })
        )
        for (least, services) in Self.served {
            for service in services {
                for role in Role.allCases {
                    let isRefused = refusal(service, role)?.status == 403
                    #expect(isRefused == (role < least), "\(service) for \(role)")
                }
            }
        }
    }

    @Test func `a refusal says which role it takes, before a body is read`() throws {
        let refusal = try #require(self.refusal("sys.drain", .submit, "{"))
        #expect(refusal.code == "forbidden")
        #expect(refusal.message == "sys.drain needs the role admin, and this key has submit.")
        #expect(refusal.hint != nil)
        #expect(self.refusal("sys.drian", .read)?.status == 404)
        let call = try #require(self.refusal("echo", .read))
        #expect(call.message == "echo needs the role submit, and this key has read.")
        #expect(self.refusal("echo", .submit) == nil)
    }

    @Test func `a request carries who asks`() {
        let peer = Peer(owner: Owner(rawValue: "ada"), role: .read)
        guard case .request(.ping, let caller) = Ear(catalog).hear(message("sys.ping"), from: peer)
        else {
            Issue.record("refused")
            return
        }
        #expect(caller.peer == peer)
        #expect(caller.account == .owner(peer.owner))
        #expect(Caller(client: caller.client, service: []).account == .connection(caller.client))
    }
}
