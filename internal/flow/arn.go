package flow

import (
	"strings"

	"github.com/symflows/symflows/internal/pattern"
)

// functionARN is the form of a Lambda function's ARN, with a version or alias
// or without, of the partition that we run in: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html.
var functionARN = pattern.Of(`^arn:aws:lambda:[a-z]{2}[a-z-]*-\d:\d{12}:function:[a-zA-Z0-9_-]{1,64}(:(\$LATEST|[a-zA-Z0-9_-]{1,128}))?$`)

// CheckFunctionARN says whether the text is the ARN of a Lambda function. The
// error has CodeInvalid and shows what one looks like.
func CheckFunctionARN(arn string) error {
	if functionARN.MatchString(arn) {
		return nil
	}
	if otherPartition(arn) {
		return Errorf(CodeInvalid, "%q is of another partition of AWS, which is out of reach: name a function whose ARN begins with arn:aws:lambda:", Clip(arn, 200))
	}
	return Errorf(CodeInvalid, "%q is not the ARN of a Lambda function: write it as arn:aws:lambda:us-east-1:123456789012:function:name", Clip(arn, 200))
}

// otherPartition tells whether an ARN is of AWS China, GovCloud or the like:
// these have accounts and credentials of their own.
func otherPartition(arn string) bool { return strings.HasPrefix(arn, "arn:aws-") }

// ARNRegion gives the region that an ARN names. It returns "" if the ARN names
// no region, or the text is no ARN. Most services know only what is in the region
// where they are asked.
func ARNRegion(arn string) string {
	parts := strings.SplitN(arn, ":", 5)
	if len(parts) < 5 || parts[0] != "arn" {
		return ""
	}
	return parts[3]
}
