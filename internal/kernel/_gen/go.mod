module github.com/posttrain/posttrain/internal/kernel/_gen

go 1.26.0
