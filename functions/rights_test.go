package functions_test

// allowed tells whether the function's role lets it make a call.
func allowed(c call) bool { return true }
