// Package github declares the strategy "github": it makes people collaborators of
// repositories, members of teams and members of organizations, and takes that away
// again. The package client does it; githubfake is what its tests have for GitHub.
package github
