package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// withEndpoint are the services that there are endpoints of in a VPC, as far as access
// calls them, by what its rights begin with.
var withEndpoint = []string{"dynamodb", "eks", "kms", "lambda", "rds-data", "scheduler", "secretsmanager", "sqs", "sts", "xray"}

// endpoints are the services that access and removal call, and that have to be reached
// from their VPC. With none they are in no VPC.
func (d *deployment) endpoints() []string {
	if d.options.network.subnets == "" {
		return nil
	}
	var needed []string
	for _, r := range slices.Concat(d.rights()[accessFunction], d.configuredRights()[accessFunction]) {
		for _, action := range r.actions {
			service, _, _ := strings.Cut(action, ":")
			if slices.Contains(withEndpoint, service) && (service != "xray" || d.options.tracing == traceAll) && !slices.Contains(needed, service) {
				needed = append(needed, service)
			}
		}
	}
	slices.Sort(needed)
	return needed
}

// checkNetwork finds services that access could not reach from its VPC: those without
// an endpoint, unless there is a way out by a NAT gateway or the like.
func (d *deploy) checkNetwork(ctx context.Context, out io.Writer) []string {
	if len(d.planned.Endpoints) == 0 {
		return nil
	}
	subnets, _ := network{subnets: d.planned.Options["subnets"]}.lists()
	var found struct {
		VPCs []string `xml:"subnetSet>item>vpcId"`
	}
	ask := url.Values{"Action": {"DescribeSubnets"}}
	for i, s := range subnets {
		ask.Set(fmt.Sprintf("SubnetId.%d", i+1), s)
	}
	if err := d.ec2(ctx, ask, &found); err != nil {
		return []string{fmt.Sprintf("The subnets can't be looked at: %v\n", err)}
	}
	if len(slices.Compact(found.VPCs)) != 1 {
		return []string{fmt.Sprintf("The subnets %s are not of one VPC.\n", d.planned.Options["subnets"])}
	}
	of := func(action string) url.Values {
		return url.Values{"Action": {action}, "Filter.1.Name": {"vpc-id"}, "Filter.1.Value.1": {found.VPCs[0]}}
	}
	var there struct {
		Endpoints []struct {
			Service string `xml:"serviceName"`
			State   string `xml:"state"`
		} `xml:"vpcEndpointSet>item"`
	}
	if err := d.ec2(ctx, of("DescribeVpcEndpoints"), &there); err != nil {
		return []string{fmt.Sprintf("The endpoints of the VPC can't be looked at: %v\n", err)}
	}
	var missing []string
	for _, service := range d.planned.Endpoints {
		reached := false
		for _, e := range there.Endpoints {
			reached = reached || e.Service == "com.amazonaws."+d.region+"."+service && strings.EqualFold(e.State, "available")
		}
		if !reached {
			missing = append(missing, service)
		}
	}
	if missing == nil {
		return nil
	}
	var tables struct {
		Routes []struct {
			To  string `xml:"destinationCidrBlock"`
			By  string `xml:"gatewayId"` // of the internet: functions have no public address
			NAT string `xml:"natGatewayId"`
		} `xml:"routeTableSet>item>routeSet>item"`
	}
	if err := d.ec2(ctx, of("DescribeRouteTables"), &tables); err != nil {
		return []string{fmt.Sprintf("The routes of the VPC can't be looked at: %v\n", err)}
	}
	for _, r := range tables.Routes {
		if r.To == "0.0.0.0/0" && !strings.HasPrefix(r.By, "igw-") {
			fmt.Fprintf(out, "The VPC has no endpoint for %s: make sure that the subnets have the way out that it has otherwise.\n", strings.Join(missing, ", "))
			return nil
		}
	}
	return []string{fmt.Sprintf("From its VPC access does not reach %s: make endpoints com.amazonaws.%s.… for them (of dynamodb a gateway), or a NAT gateway.\n", strings.Join(missing, ", "), d.region)}
}

// ec2 asks EC2, by its protocol: of the whole service we need three questions.
// https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Query-Requests.html
func (d *deploy) ec2(ctx context.Context, ask url.Values, answer any) error {
	ask.Set("Version", "2016-11-15")
	body := ask.Encode()
	at := "https://ec2." + d.region + ".amazonaws.com/"
	if d.aws.BaseEndpoint != nil {
		at = *d.aws.BaseEndpoint
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, at, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	credentials, err := d.aws.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(body))
	if err := v4.NewSigner().SignHTTP(ctx, credentials, r, hex.EncodeToString(sum[:]), "ec2", d.region, d.now()); err != nil {
		return err
	}
	var client aws.HTTPClient = http.DefaultClient
	if d.aws.HTTPClient != nil {
		client = d.aws.HTTPClient
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	response, err := client.Do(r.WithContext(ctx))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 8<<20))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		var fault struct {
			Code    string `xml:"Errors>Error>Code"`
			Message string `xml:"Errors>Error>Message"`
		}
		if err := xml.Unmarshal(text, &fault); err != nil {
			return fmt.Errorf("EC2 answers %d", response.StatusCode)
		}
		return fmt.Errorf("%s: %s", fault.Code, fault.Message)
	}
	return xml.Unmarshal(text, answer)
}
