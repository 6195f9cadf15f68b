// Package httpstrategy declares the strategy "http": a customer's server grants
// and removes access. What is said to it, and how, is in the package client.
package httpstrategy
