package awsfake

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// EKS keeps the clusters of accounts, by region, and who has access to them.
type EKS struct {
	fake *Fake
	ledger[eksState]
	principals map[string]bool // of IAM, that are there
}

// eksState are the clusters of an account in a region.
type eksState map[string]cluster

type cluster struct {
	mode    string
	entries map[string]accessEntry // by the principal's ARN
}

type accessEntry struct {
	groups   []string
	tags     map[string]string
	policies map[string][]string // namespaces, by ARN; nil: the whole cluster
}

func newEKS(f *Fake) *EKS {
	return &EKS{f, ledger[eksState]{
		empty: func() eksState { return eksState{} },
		copied: func(s eksState) eksState {
			clusters := eksState{}
			for name, c := range s {
				entries := map[string]accessEntry{}
				for principal, e := range c.entries {
					entries[principal] = accessEntry{slices.Clone(e.groups), maps.Clone(e.tags), maps.Clone(e.policies)}
				}
				clusters[name] = cluster{c.mode, entries}
			}
			return clusters
		},
	}, map[string]bool{}}
}

// place is the part of the ledger that a region of an account has.
func place(account, region string) string { return account + "/" + region }

// AddCluster makes a cluster; its mode is API, API_AND_CONFIG_MAP or CONFIG_MAP.
func (k *EKS) AddCluster(account, region, name, mode string) {
	k.must(account, region, func(s eksState) { s[name] = cluster{mode, map[string]accessEntry{}} })
}

// DeleteCluster takes it away, with all access to it.
func (k *EKS) DeleteCluster(account, region, name string) {
	k.must(account, region, func(s eksState) { delete(s, name) })
}

// AddPrincipal makes a role or a user of IAM, by its ARN, before the fake is used.
func (k *EKS) AddPrincipal(arn string) { k.principals[arn] = true }

// AddEntry makes an access entry, as an administrator would.
func (k *EKS) AddEntry(account, region, name, principal string, groups ...string) {
	k.must(account, region, func(s eksState) {
		s[name].entries[principal] = accessEntry{groups, map[string]string{}, map[string][]string{}}
	})
}

// Associate gives a policy, and an entry where there is none, as an administrator
// would; no namespaces: for the whole cluster.
func (k *EKS) Associate(account, region, name, principal, policy string, namespaces ...string) {
	k.must(account, region, func(s eksState) {
		if _, ok := s[name].entries[principal]; !ok {
			s[name].entries[principal] = accessEntry{nil, map[string]string{}, map[string][]string{}}
		}
		s[name].entries[principal].policies[policy] = namespaces
	})
}

// Disassociate takes a policy away, as an administrator would.
func (k *EKS) Disassociate(account, region, name, principal, policy string) {
	k.must(account, region, func(s eksState) { delete(s[name].entries[principal].policies, policy) })
}

// Has tells whether a principal has a policy now, and for which namespaces.
func (k *EKS) Has(account, region, name, principal, policy string) (namespaces []string, has bool) {
	k.read(place(account, region), time.Time{}, 0, func(s eksState) { namespaces, has = s[name].entries[principal].policies[policy] })
	return namespaces, has
}

// Entry tells whether a principal has an access entry now.
func (k *EKS) Entry(account, region, name, principal string) bool {
	has := false
	k.read(place(account, region), time.Time{}, 0, func(s eksState) { _, has = s[name].entries[principal] })
	return has
}

func (k *EKS) must(account, region string, change func(eksState)) {
	if err := k.write(place(account, region), k.fake.Now(), func(s eksState) error { change(s); return nil }); err != nil {
		panic(err)
	}
}

func (k *EKS) service() *service {
	const entries, entry = "/clusters/{cluster}/access-entries", "/clusters/{cluster}/access-entries/{principal}"
	principal := func(q *request) string { return q.http.PathValue("principal") }
	return &service{
		protocol: restJSON{},
		operations: []*operation{
			{name: "CreateAccessEntry", path: "POST " + entries, do: k.createAccessEntry},
			{name: "DescribeAccessEntry", path: "GET " + entry, do: k.describeAccessEntry},
			{name: "DeleteAccessEntry", path: "DELETE " + entry, do: k.deleteAccessEntry},
			{name: "ListAccessEntries", path: "GET " + entries, do: k.listAccessEntries},
			{name: "AssociateAccessPolicy", path: "POST " + entry + "/access-policies", do: k.associateAccessPolicy, event: "escalate", whose: principal},
			{name: "DisassociateAccessPolicy", path: "DELETE " + entry + "/access-policies/{policy}", do: k.disassociateAccessPolicy, event: "deescalate", whose: principal},
			{name: "ListAssociatedAccessPolicies", path: "GET " + entry + "/access-policies", do: k.listAssociatedAccessPolicies},
			{name: "ListAccessPolicies", path: "GET /access-policies", do: k.listAccessPolicies},
			{name: "ListClusters", path: "GET /clusters", do: k.listClusters},
			{name: "DescribeCluster", path: "GET /clusters/{cluster}", do: k.describeCluster},
			{name: "TagResource", path: "POST /tags/{arn}", do: k.tagResource},
		},
		broken:   &Fault{http.StatusInternalServerError, "ServerException", "Internal server error.", nil},
		conflict: &Fault{http.StatusConflict, "ResourceInUseException", "The specified resource is in use.", nil},
		denied:   denied("eks"),
		throttled: func(time.Duration) *Fault {
			return &Fault{http.StatusTooManyRequests, "ThrottlingException", "Rate exceeded", nil}
		},
	}
}

// AccessPolicies are those that AWS has, by name.
var AccessPolicies = []string{"AmazonEKSAdminPolicy", "AmazonEKSClusterAdminPolicy", "AmazonEKSEditPolicy", "AmazonEKSViewPolicy"}

// AccessPolicy is the ARN of one.
func AccessPolicy(name string) string { return "arn:aws:eks::aws:cluster-access-policy/" + name }

func bad(format string, args ...any) *Fault {
	return &Fault{http.StatusBadRequest, "InvalidParameterException", fmt.Sprintf(format, args...), nil}
}

func absent(format string, args ...any) *Fault {
	return &Fault{http.StatusNotFound, "ResourceNotFoundException", fmt.Sprintf(format, args...), nil}
}

// cluster finds the one of the path, if it takes access entries.
func (s eksState) cluster(q *request) (cluster, error) {
	name := q.http.PathValue("cluster")
	c, ok := s[name]
	switch {
	case !ok:
		return c, absent("No cluster found for name: %s.", name)
	case c.mode == "CONFIG_MAP":
		return c, &Fault{http.StatusBadRequest, "InvalidRequestException", "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.", nil}
	}
	return c, nil
}

// entry finds that of the path.
func (s eksState) entry(q *request) (accessEntry, error) {
	c, err := s.cluster(q)
	if err != nil {
		return accessEntry{}, err
	}
	e, ok := c.entries[q.http.PathValue("principal")]
	if !ok {
		return e, absent("The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.")
	}
	return e, nil
}

// change changes what the place of a call has.
func (k *EKS) change(q *request, change func(eksState) error) error {
	return k.write(place(q.who.account, q.region), q.now, change)
}

// look looks at it.
func (k *EKS) look(q *request, look func(eksState) error) (err error) {
	k.read(place(q.who.account, q.region), q.now, q.behind, func(s eksState) { err = look(s) })
	return err
}

var principalARN = regexp.MustCompile(`^arn:aws:iam::([0-9]{12}):(role|user)/`)

func entryARN(q *request, cluster, principal string) string {
	m := principalARN.FindStringSubmatch(principal)
	return fmt.Sprintf("arn:aws:eks:%s:%s:access-entry/%s/%s/%s/%s/7ac1", q.region, q.who.account, cluster, m[2], m[1], principal[strings.LastIndex(principal, "/")+1:])
}

func (e accessEntry) json(q *request, principal string) map[string]any {
	name := q.http.PathValue("cluster")
	return map[string]any{"accessEntry": map[string]any{
		"accessEntryArn": entryARN(q, name, principal), "clusterName": name, "principalArn": principal, "username": principal, "type": "STANDARD",
		"kubernetesGroups": e.groups, "tags": e.tags, "createdAt": 1772366400, "modifiedAt": 1772366400,
	}}
}

func (k *EKS) createAccessEntry(q *request) (any, error) {
	var in struct {
		PrincipalArn     string            `json:"principalArn"`
		KubernetesGroups []string          `json:"kubernetesGroups"`
		Tags             map[string]string `json:"tags"`
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	made := accessEntry{in.KubernetesGroups, in.Tags, map[string][]string{}}
	err := k.change(q, func(s eksState) error {
		c, err := s.cluster(q)
		if err != nil {
			return err
		}
		if !principalARN.MatchString(in.PrincipalArn) {
			return bad("The principalArn parameter format is not valid")
		}
		if !k.principals[in.PrincipalArn] {
			return bad("The specified principalArn is invalid: invalid principal.")
		}
		if _, ok := c.entries[in.PrincipalArn]; ok {
			return &Fault{http.StatusConflict, "ResourceInUseException", "The specified access entry resource is already in use on this cluster.", nil}
		}
		c.entries[in.PrincipalArn] = made
		return nil
	})
	if err != nil {
		return nil, err
	}
	return made.json(q, in.PrincipalArn), nil
}

func (k *EKS) describeAccessEntry(q *request) (any, error) {
	var out map[string]any
	err := k.look(q, func(s eksState) error {
		e, err := s.entry(q)
		if err == nil {
			out = e.json(q, q.http.PathValue("principal"))
		}
		return err
	})
	return out, err
}

func (k *EKS) deleteAccessEntry(q *request) (any, error) {
	return struct{}{}, k.change(q, func(s eksState) error {
		_, err := s.entry(q)
		if err == nil {
			delete(s[q.http.PathValue("cluster")].entries, q.http.PathValue("principal"))
		}
		return err
	})
}

func (k *EKS) associateAccessPolicy(q *request) (any, error) {
	var in struct {
		PolicyArn   string `json:"policyArn"`
		AccessScope struct {
			Type       string   `json:"type"`
			Namespaces []string `json:"namespaces"`
		} `json:"accessScope"`
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	err := k.change(q, func(s eksState) error {
		e, err := s.entry(q)
		switch {
		case err != nil:
			return err
		case !slices.Contains(AccessPolicies, strings.TrimPrefix(in.PolicyArn, AccessPolicy(""))):
			return bad("The policyArn parameter format is not valid")
		case (in.AccessScope.Type == "namespace") != (len(in.AccessScope.Namespaces) > 0):
			return bad("The namespaces go with scope type namespace")
		}
		if len(in.AccessScope.Namespaces) == 0 {
			in.AccessScope.Namespaces = nil
		}
		e.policies[in.PolicyArn] = in.AccessScope.Namespaces
		return nil
	})
	if err != nil {
		return nil, err
	}
	return map[string]any{
		"clusterName": q.http.PathValue("cluster"), "principalArn": q.http.PathValue("principal"),
		"associatedAccessPolicy": associated(in.PolicyArn, in.AccessScope.Namespaces),
	}, nil
}

func associated(policy string, namespaces []string) map[string]any {
	scope := map[string]any{"type": "cluster", "namespaces": []string{}}
	if namespaces != nil {
		scope = map[string]any{"type": "namespace", "namespaces": namespaces}
	}
	return map[string]any{"policyArn": policy, "accessScope": scope, "associatedAt": 1772366400, "modifiedAt": 1772366400}
}

func (k *EKS) disassociateAccessPolicy(q *request) (any, error) {
	return struct{}{}, k.change(q, func(s eksState) error {
		e, err := s.entry(q)
		if err != nil {
			return err
		}
		policy := q.http.PathValue("policy")
		if _, ok := e.policies[policy]; !ok {
			return absent("The specified policyArn could not be found on this access entry.")
		}
		delete(e.policies, policy)
		return nil
	})
}

// pageOf cuts a list as the caller asks, and adds it to the answer.
func pageOf[T any](q *request, out map[string]any, member string, list []T) error {
	query := q.http.URL.Query()
	from, most := 0, 100
	var err error
	if token := query.Get("nextToken"); token != "" {
		if from, err = strconv.Atoi(strings.TrimPrefix(token, "at-")); err != nil || from > len(list) {
			return bad("nextToken")
		}
	}
	if m := query.Get("maxResults"); m != "" {
		if most, err = strconv.Atoi(m); err != nil || most < 1 || most > 100 {
			return bad("maxResults")
		}
	}
	to := min(from+most, len(list))
	out[member] = list[from:to]
	if to < len(list) {
		out["nextToken"] = fmt.Sprintf("at-%d", to)
	}
	return nil
}

func (k *EKS) listAssociatedAccessPolicies(q *request) (any, error) {
	out := map[string]any{"clusterName": q.http.PathValue("cluster"), "principalArn": q.http.PathValue("principal")}
	return out, k.look(q, func(s eksState) error {
		e, err := s.entry(q)
		if err != nil {
			return err
		}
		var all []any
		for _, policy := range slices.Sorted(maps.Keys(e.policies)) {
			all = append(all, associated(policy, e.policies[policy]))
		}
		return pageOf(q, out, "associatedAccessPolicies", all)
	})
}

func (k *EKS) listAccessEntries(q *request) (any, error) {
	out := map[string]any{}
	return out, k.look(q, func(s eksState) error {
		c, err := s.cluster(q)
		if err != nil {
			return err
		}
		var all []string
		for _, principal := range slices.Sorted(maps.Keys(c.entries)) {
			policy := q.http.URL.Query().Get("associatedPolicyArn")
			if _, has := c.entries[principal].policies[policy]; has || policy == "" {
				all = append(all, principal)
			}
		}
		return pageOf(q, out, "accessEntries", all)
	})
}

func (k *EKS) listAccessPolicies(q *request) (any, error) {
	var all []any
	for _, name := range AccessPolicies {
		all = append(all, map[string]any{"name": name, "arn": AccessPolicy(name)})
	}
	out := map[string]any{}
	return out, pageOf(q, out, "accessPolicies", all)
}

func (k *EKS) listClusters(q *request) (any, error) {
	out := map[string]any{}
	return out, k.look(q, func(s eksState) error { return pageOf(q, out, "clusters", slices.Sorted(maps.Keys(s))) })
}

func (k *EKS) describeCluster(q *request) (any, error) {
	name := q.http.PathValue("cluster")
	var out map[string]any
	err := k.look(q, func(s eksState) error {
		c, ok := s[name]
		if !ok {
			return absent("No cluster found for name: %s.", name)
		}
		out = map[string]any{"cluster": map[string]any{
			"name": name, "arn": fmt.Sprintf("arn:aws:eks:%s:%s:cluster/%s", q.region, q.who.account, name), "status": "ACTIVE",
			"accessConfig": map[string]any{"authenticationMode": c.mode},
		}}
		return nil
	})
	return out, err
}

func (k *EKS) tagResource(q *request) (any, error) {
	var in struct {
		Tags map[string]string `json:"tags"`
	}
	if err := q.read(&in); err != nil {
		return nil, err
	}
	arn := q.http.PathValue("arn")
	return struct{}{}, k.change(q, func(s eksState) error {
		for name, c := range s {
			for principal, e := range c.entries {
				if entryARN(q, name, principal) == arn {
					if e.tags == nil {
						e.tags = map[string]string{}
					}
					maps.Copy(e.tags, in.Tags)
					c.entries[principal] = e
					return nil
				}
			}
		}
		return &Fault{http.StatusNotFound, "NotFoundException", "The specified resource could not be found.", nil}
	})
}
