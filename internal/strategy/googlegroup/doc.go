// Package googlegroup declares the strategy "google_group": it makes people members,
// managers or owners of Google Groups, and takes them out again. The package client
// does it.
package googlegroup
