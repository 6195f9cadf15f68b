// Package githubfake is GitHub for tests: one organization, by the REST and the
// GraphQL API, as badly behaved as documented.
//
//	githubfake.go  New and Subject; the organization, and what happens in it
//	rest.go        what the REST API answers
//	graphql.go     what the GraphQL API answers
//	shapes.go      what both are held to
//
// Each answer is held to shapes.json, which was written by hand after the schemas of
// npm's @octokit/openapi-types 29.0.1; each query to schema.graphql, which was after
// @octokit/graphql-schema 15.26.1. Both have what we use and no more.
package githubfake
