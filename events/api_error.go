package events

// APIError is the body of every answer whose HTTP status is 400 or more.
type APIError struct {
	Error      bool   `json:"error"`   // always true
	Message    string `json:"message"` // for people
	Code       string `json:"code"`    // for programs, "Type:NAME"
	StatusCode int    `json:"status_code"`
	// Errors says which parts of the request are wrong.
	Errors []APIFieldError `json:"errors"`
	// IsRetryable says that the same request may succeed later.
	IsRetryable bool `json:"is_retryable"`
}

// APIFieldError is one thing that is wrong with a request.
type APIFieldError struct {
	Field   string `json:"field"` // "flow_inputs.reason", "user_email", a parameter or a header
	Message string `json:"message"`
}
