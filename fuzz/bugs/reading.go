package main

// reading is wrong for those who look.
func reading() []mistake {
	return []mistake{
		{"followed beyond durable", "a reader of this process is shown what is not synced yet",
			"wal/read.go", "last: l.durable, first:", "last: l.after, first:",
			"./wal", "TestOnlyDurableIsRead", false},
		{"batch followed twice", "who follows gets the last batch again",
			"wal/read.go", "			next = max(next, last+1)", "			next = max(next, last)",
			"./wal", "TestFollow", false},
		{"missed signal", "who follows asks for news only after he has read",
			"wal/read.go", "			more, ended := l.signal()\n			last, ok := l.read(ctx, next, yield)", "			last, ok := l.read(ctx, next, yield)\n			more, ended := l.signal()",
			"./wal", "TestFollow", true},
		{"reader not pinned", "a segment may be written again under who reads it",
			"wal/read.go", "			l.readers[k.Epoch]++\n", "",
			"./wal", "TestTrimUnderAReader", false},
		{"gap read over", "a missing segment in the middle of the log goes unnoticed by readers",
			"wal/read.go", "	if first > next {\n		return &fault.Error{Op: \"read log\"", "	if false {\n		return &fault.Error{Op: \"read log\"",
			"./wal", "TestGapIsTold", false},
		{"older copy shown", "a reader goes on with another store in the place of the one that it read",
			"recovery/sight.go", "	if g.mark.Seq < s.last {", "	if false {",
			"./recovery", "TestReaderOlderCopy", false},
		{"unanswered tail shown", "a reader beside a writer shows what nobody was told of",
			"recovery/sight.go", "	if seg.Sealed || !held {\n		s.end.last", "	if true {\n		s.end.last",
			"./recovery", "TestReadWhileChanging", false},
		{"At off by one", "the past is that of the batch before",
			"engine/at.go", "		if edit.Apply(&b, at); at.Seq == to {\n			return edit.Picture(), nil\n		}", "		if at.Seq == to {\n			return edit.Picture(), nil\n		}\n		edit.Apply(&b, at)",
			"./engine", "TestEveryPast", false},
		{"moment off by one", "the past of a time holds the batch behind it",
			"engine/at.go", "			seq = e.Seq - 1\n", "			seq = e.Seq\n",
			"./engine", "TestEveryPast", false},
		{"checkpoint under another name", "the past is read from a file that is of another batch",
			"engine/at.go", "	if err == nil && sum.At.Seq != seq {", "	if false {",
			"./engine", "TestPastForeign", false},
	}
}

// moving is wrong where bytes go from one place to another.
func moving() []mistake {
	return []mistake{
		{"copy of another history", "a copied segment that has other batches gets its name",
			"internal/backup/copy.go", "	case seg.ChainEnd != p.chain:", "	case false:",
			"./internal/backup", "TestMatches", false},
		{"copy not synced", "a file of a backup gets its name before it is on disk",
			"internal/backup/copy.go", "	if err == nil {\n		err = dst.Sync()\n	}\n", "",
			"./internal/backup", "TestCrashBackup", false},
		{"backup's pointer first", "a place says how far it leads before what leads there is in it",
			"internal/backup/backup.go", "	err = r.fill(ctx)\n	if err == nil {\n		err = r.finish()\n	}", "	err = r.finish()\n	if err == nil {\n		err = r.fill(ctx)\n	}",
			"./internal/backup", "TestCrashBackup", false},
		{"prune before copy", "a backup removes old files before the new ones are there",
			"internal/backup/backup.go", "	if err := r.copy.all(ctx, nil, p.lead); err != nil {", "	if err := removeAll(r.place, p.drop); err != nil {\n		return err\n	}\n	if err := r.copy.all(ctx, nil, p.lead); err != nil {",
			"./internal/backup", "TestCrashBackup", false},
		{"123 is \"123\"", "the importer takes a number and its text for one key",
			"internal/ptvp35/same.go", "		return strconv.AppendQuote(dst, v)\n	case []any:", "		return append(dst, v...)\n	case []any:",
			"./internal/ptvp35", "TestSameKeys", false},
		{"1 is not 1.0", "the importer keeps two keys where that system had one",
			"internal/ptvp35/same.go", "		if i, exact := big.NewFloat(f).Int(nil); exact == big.Exact {\n			return i.String()\n		}\n", "		_ = big.Exact\n",
			"./internal/ptvp35", "TestSameKeys", false},
	}
}
