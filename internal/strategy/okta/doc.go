// Package okta declares the strategy "okta": it puts people into groups of Okta, and
// takes them out again. The package client does it, and oktafake stands for Okta in
// tests.
package okta
