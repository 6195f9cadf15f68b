// Package core builds the parts that a deployment is made of, on this machine
// and in AWS: one method of [Core] for each part. A part takes all its ports as
// one value (ports.go), and is not built if one is missing.
//
//	core.go          the use cases, on a store
//	slack.go         what talks to a Slack workspace
//	explain.go       what says what would come of requests
//	aws.go           what every function in AWS starts from: settings, table,
//	                 secrets, and Slack by them; environment.go reads what
//	                 Lambda sets; metrics.go: counts of a function, as
//	                 CloudWatch reads them; throttled.go: calls that
//	                 AWS refuses for their pace
//
// The package decides nothing. It does not choose what differs between
// deployments: the store, what runs workflows, schedules, the clients of AWS
// other than those of the table and of secrets. Package app chooses for this
// machine, and the main package of each function for AWS, so that a function is
// linked only with clients that it has the rights to use.
package core
