// Package onelogin declares the strategy "onelogin": it makes users of OneLogin
// members of roles, or administrators of them. The package client does it, and
// oneloginfake is OneLogin for tests.
//
// A role has two lists, one of members and one of administrators, and a person is
// in either, in both or in none: neither list follows from the other, and changing
// one leaves the other as it is
// (https://developers.onelogin.com/api-docs/2/roles/overview). So the privilege
// level is no value of which a person has one, but names one of two entitlements,
// which are counted apart.
package onelogin
