// Package strategy is the port to the systems in which access is granted: what a
// system declares ([Type], type.go; [Rights], rights.go), what it does
// ([Strategy], strategy.go), how fast it may be asked ([Limiter], limiter.go;
// turn.go tells the work apart that it is asked for), where in AWS it acts
// ([AWSAccount], awsaccount.go) and who people are in IAM Identity Center
// (identitycenter.go), where the API of a vendor is (vendor.go) and what the address of a server may be (url.go), how apps sign in to
// it by a private key (privatekey.go) and how at Google (google.go), and the contract
// with customers' code that does it for some of them (contract.go).
//
//	strategy/<system>          declares: Type(), and what follows from settings alone
//	strategy/<system>/client   does the work: Open(…), linked by what grants only
//	strategy/<system>/<system>fake  stands for a vendor in tests; no program links it
//	strategy/builtin           lists what is declared; builtin/clients, what does the work
//	strategy/strategytest      the rules of the port as tests, which every client runs
//
// # How to add a strategy
//
// Say that it is for a system called acme:
//
//  1. strategy/acme: Type() with the types of targets and what people must know
//     of their end, all settings with what they are and a check of their shape,
//     the integration that goes with it, and the rights in AWS that a
//     configuration needs. It uses the standard library
//     only. Nothing here may be looked up: what it says of a configuration, it
//     must say of the same one again when access is removed.
//  2. strategy/acme/client: Open with what it works with, and a [Strategy]; an
//     [Observer], if what was granted can be read back; an [Identifier], if people
//     have other names there; a [Follower], if the system goes on working after it
//     has answered; a [Lingerer], [Lister] and [Discoverer], where it can tell. What
//     is called by HTTP is called through package vendorhttp. Its test is
//     strategytest.Run on a fake of the system that speaks the system's protocol and
//     fails as its documentation says: its Subject has each of strategytest.Cases,
//     or says why that can't happen there. The fake of a vendor is the package
//     acmefake, behind a strategytest.Front. One that acts in AWS is opened with
//     aws/account's Accounts, and its fake is a file of aws/awsfake.
//     A row of workflow's TestStrategies has it grant while processes die and the
//     system fails.
//  3. A line in builtin.Types and one in builtin/clients, which a test holds to
//     each other.
//  4. make docs writes its settings, and how it is signed in to, into
//     docs/strategies.md; the page says what to create in the system, and what each
//     failure looks like. docs/examples/acme is a folder of flows, which a row of
//     app's TestExamples_Vendors runs whole.
//  5. A strategy of the type in infra/testdata/flows and its row in infra's
//     strategyRows: which rights that gives the function that grants. Tests name
//     both if they are missing.
//
// Nothing else knows strategies by name: the catalog checks configurations, and
// infra and publish keep rights, by what is declared.
package strategy
