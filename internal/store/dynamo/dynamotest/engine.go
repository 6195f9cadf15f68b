package dynamotest

import (
	"bytes"
	"encoding/json"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"strconv"

	minidyn "github.com/truora/minidyn/server"

	"github.com/symflows/symflows/internal/store/dynamo"
)

// engine is what stands behind the server.
type engine struct{ handler *minidyn.Server }

// do has the engine serve a request.
func (e engine) do(op string, in any) answer {
	r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(encode(in)))
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+op)
	w := httptest.NewRecorder()
	e.handler.ServeHTTP(w, r)
	return answer{w.Code, w.Body.Bytes()}
}

// get reads an item. It returns nil if there is none.
func (e engine) get(key item) item {
	var out struct{ Item item }
	e.do("GetItem", request{TableName: TableName, Key: key}).read(&out)
	return out.Item
}

// answer is an answer to a request.
type answer struct {
	status int
	body   []byte
}

func success(body any) answer { return answer{http.StatusOK, encode(body)} }

// refuse answers with an error of DynamoDB.
func refuse(code, message string) answer {
	status := http.StatusBadRequest
	if code == "InternalServerError" {
		status = http.StatusInternalServerError
	}
	return answer{status, encode(map[string]string{"__type": "com.amazonaws.dynamodb.v20120810#" + code, "message": message})}
}

func (a answer) ok() bool { return a.status == http.StatusOK }

// read decodes the answer.
func (a answer) read(into any) {
	if err := json.Unmarshal(a.body, into); err != nil {
		panic("dynamotest: the engine's answer: " + err.Error())
	}
}

// with adds the stored item to the answer to a failed condition, if the request
// wants it.
func (a answer) with(in request, stored item) answer {
	var failed map[string]any
	a.read(&failed)
	if failed["__type"] != "ConditionalCheckFailedException" || in.ReturnValuesOnConditionCheckFailure != "ALL_OLD" || stored == nil {
		return a
	}
	failed["Item"] = stored
	return answer{a.status, encode(failed)}
}

func (a answer) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(a.body)), 10))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that is gone needs no answer
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("dynamotest: " + err.Error()) // all of it came as JSON
	}
	return b
}

// schema is the table that store/dynamo asks for.
var schema = dynamo.Schema()

// createTable is the request that makes the table.
func createTable() map[string]any {
	type object = map[string]any
	keys := func(partition, sort string) []object {
		schema := []object{{"AttributeName": partition, "KeyType": "HASH"}}
		if sort != "" {
			schema = append(schema, object{"AttributeName": sort, "KeyType": "RANGE"})
		}
		return schema
	}
	// The engine knows no billing on demand.
	throughput := object{"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}
	attributes := map[string]bool{schema.Key: true}
	var indexes []object
	for _, i := range schema.Indexes {
		attributes[i.Partition], attributes[i.Sort] = true, true
		indexes = append(indexes, object{
			"IndexName": i.Name, "KeySchema": keys(i.Partition, i.Sort),
			"Projection": object{"ProjectionType": i.Projection}, "ProvisionedThroughput": throughput,
		})
	}
	var definitions []object
	for name := range attributes {
		definitions = append(definitions, object{"AttributeName": name, "AttributeType": "S"})
	}
	return object{
		"TableName": TableName, "KeySchema": keys(schema.Key, ""), "AttributeDefinitions": definitions,
		"GlobalSecondaryIndexes": indexes, "ProvisionedThroughput": throughput,
	}
}

// keyOf gives the key of an item.
func keyOf(i item) item { return item{schema.Key: i[schema.Key]} }

// textOf gives the text of an attribute, or "" if there is none.
func textOf(i item, name string) string {
	if v := i[name]; v != nil && v.S != nil {
		return *v.S
	}
	return ""
}
