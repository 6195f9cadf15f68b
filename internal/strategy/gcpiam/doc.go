// Package gcpiam declares the strategy "gcp_iam": it gives people roles on projects of
// Google Cloud, by bindings with a condition on time. The package client does it.
package gcpiam
