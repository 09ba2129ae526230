module github.com/posttrain/posttrain/testdata/oracle

go 1.26
