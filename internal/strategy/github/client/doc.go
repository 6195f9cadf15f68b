// Package client grants and removes for the strategy "github".
//
//	client.go    who does what for which target
//	signin.go    tokens: the integration's own, or those of a GitHub App
//	graphql.go   what only GitHub's second API tells
//	repo.go      collaborators of repositories
//	team.go      members of teams
//	org.go       members of organizations
//	identity.go  whose login it is
//	discover.go  which repositories and teams there are
//	errors.go    what GitHub's refusals mean
//
// GitHub's REST API changes access, and mixes up where it comes from: it shows the
// highest permission of a person, be it their own, a team's or everybody's. What is
// restored after a grant, and what keeps access after its end, must not be mixed up,
// so that this is read from the GraphQL API, which tells each source apart.
//
// Invitations to repositories and organizations are pending until people accept
// them. A team's target never invites into the organization: the person would stay
// a member of it when the access to the team has ended.
//
// GitHub answers 404 for what is not there and for what the sign-in may not see. The
// former ends access, the latter hides it: see sure in errors.go.
package client
