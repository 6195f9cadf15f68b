package client

import (
	"context"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rdsdata"
	"github.com/aws/aws-sdk-go-v2/service/rdsdata/types"

	"github.com/symflows/symflows/internal/aws/account"
	"github.com/symflows/symflows/internal/strategy/postgres"
)

// maintenance is the database that every cluster has. What we ask for is the same
// in all of them.
const maintenance = "postgres"

// dataAPI is a session by the RDS Data API, each statement of which is a call.
type dataAPI struct {
	api             *rdsdata.Client
	cluster, secret string
}

func (r roles) dataAPI(c account.Caller) session {
	return dataAPI{
		rdsdata.NewFromConfig(r.accounts.Config(postgres.AccountOf(r.frozen), c)),
		r.frozen.Settings[postgres.SettingResourceARN], r.frozen.Secrets[postgres.SettingSecret].Path,
	}
}

func (d dataAPI) execute(ctx context.Context, statement string, args ...string) (*rdsdata.ExecuteStatementOutput, error) {
	in := &rdsdata.ExecuteStatementInput{ResourceArn: &d.cluster, SecretArn: &d.secret, Database: aws.String(maintenance)}
	for i, arg := range args {
		n := strconv.Itoa(i + 1)
		statement = strings.ReplaceAll(statement, "$"+n, ":p"+n)
		in.Parameters = append(in.Parameters, types.SqlParameter{Name: aws.String("p" + n), Value: &types.FieldMemberStringValue{Value: arg}})
	}
	in.Sql = &statement
	out, err := d.api.ExecuteStatement(ctx, in)
	return out, dataAPIFailure(err)
}

func (d dataAPI) ask(ctx context.Context, statement string, args ...string) (string, error) {
	out, err := d.execute(ctx, statement, args...)
	if err != nil {
		return "", err
	}
	if len(out.Records) != 1 || len(out.Records[0]) != 1 {
		return "", noText()
	}
	text, ok := out.Records[0][0].(*types.FieldMemberStringValue)
	if !ok {
		return "", noText()
	}
	return text.Value, nil
}

func (d dataAPI) do(ctx context.Context, statement string) error {
	_, err := d.execute(ctx, statement)
	return err
}

func (dataAPI) close() {}
