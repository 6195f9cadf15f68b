package flow

// functionARN is the form of a Lambda function's ARN, with a version or alias
// or without: https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html.
var functionARN = lazily(`^arn:aws[a-z-]*:lambda:[a-z]{2}[a-z-]*-\d:\d{12}:function:[a-zA-Z0-9_-]{1,64}(:(\$LATEST|[a-zA-Z0-9_-]{1,128}))?$`)

// CheckFunctionARN says whether the text is the ARN of a Lambda function. The
// error has CodeInvalid and shows what one looks like.
func CheckFunctionARN(arn string) error {
	if functionARN().MatchString(arn) {
		return nil
	}
	return Errorf(CodeInvalid, "%q is not the ARN of a Lambda function: write it as arn:aws:lambda:us-east-1:123456789012:function:name", Clip(arn, 200))
}
