package slackapp

import (
	"fmt"
	"testing"
)

func TestMeant(t *testing.T) {
	t.Parallel()
	things := [][]string{
		{"orders-db", "Orders database"}, {"orders-db-replica", "Orders replica"}, {"users-db", "Users database"}, {"billing"}, {"kartei", "Über Straße Łódź"},
	}
	for typed, want := range map[string]string{
		"orders-db":         "[0] true", // though another begins so
		"ORDERS   Database": "[0] true",
		"bill":              "[3] true",
		"orders":            "[0 1] false",
		"database":          "[0 2] false",
		"database users":    "[2] false",
		"biling":            "[3] false",
		"usres-db":          "[2] false",
		"odrers database":   "[0] false",
		"replca":            "[1] false",
		"datbase":           "[0 2] false",
		"uber":              "[4] true",
		"ÜBER STRASSE lodz": "[4] true",
		"strasse":           "[4] false",
		"U\u0308ber":        "[4] true", // the accent is a character of its own
		"lódz ubre":         "[4] false",
		"órders-db":         "[0] true",
		"kubernetes":        "[] false",
		"":                  "[] false",
		"  ":                "[] false",
		"<!channel> orders": "[] false",
		"x":                 "[] false",
	} {
		found, sure := meant(typed, things)
		if got := fmt.Sprint(found, sure); got != want {
			t.Errorf("%q: %s, want %s", typed, got, want)
		}
	}
}
