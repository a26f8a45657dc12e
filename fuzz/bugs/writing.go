package main

// mistakes are all of them, in the order of a batch's life.
func mistakes() []mistake {
	var all []mistake
	for _, some := range [][]mistake{committing(), appending(), promoting(), making(), reaching(), finishing(), opening(), judging(), reading(), moving()} {
		all = append(all, some...)
	}
	return all
}

// committing is wrong between a transaction and the log.
func committing() []mistake {
	return []mistake{
		{"no sync before the answer", "a commit is answered once it was handed to the system",
			"internal/committer/lead.go", "	return wrote, c.sync(ctx)", "	return wrote, nil",
			"./fuzz", "TestCrashEverywhere/binary", false},
		{"undurable read answered", "a transaction that wrote nothing is answered before what it read is durable",
			"internal/committer/committer.go", "	if b.line == nil || c.settled(b) {", "	if b.line == nil || !c.lostLocked(b) {",
			"./internal/committer", "TestSettle", false},
		{"poison forgotten", "writing goes on behind a failed sync",
			"internal/committer/lead.go", "	if !clean {\n		c.failLocked(err)\n	}\n", "",
			"./internal/committer", "TestFailureEndsWriting", false},
		{"seal behind a failed sync", "closing seals a log whose last sync failed",
			"wal/local.go", "	if failed != nil {\n		return errors.Join(&fault.Error{Op: \"close log\", Err: fault.ErrPoisoned, Cause: failed}, l.drop())\n	}\n", "	_ = failed\n",
			"./wal", "TestFailedSync", false},
		{"doubt told as refusal", "a commit whose sync failed is answered as if nothing had been written",
			"internal/committer/lead.go", "return isSync(err) && firstSeq(r.ready) > 0 }", "return false }",
			"./internal/committer", "TestFailureEndsWriting", false},
		{"conflict check without ranges", "what a transaction scanned may change under it",
			"internal/txn/reads.go", "		if !state.Same(base, now, s.from, s.to) {", "		if false {",
			"./internal/committer", "TestSerializable", false},
		{"conflict check without keys", "what a transaction looked up may change under it",
			"internal/txn/reads.go", "		if had != has || was.Seq != is.Seq {", "		if had != has && was.Seq != is.Seq && len(key) == 0 {",
			"./internal/committer", "TestSerializable", false},
		{"conflict check of absence", "a key that was not there and is now counts as unchanged",
			"internal/txn/reads.go", "		if had != has || was.Seq != is.Seq {", "		if had && (had != has || was.Seq != is.Seq) {",
			"./internal/committer", "TestSerializable", false},
		{"answer passed over", "who gives up at the moment of the answer is told that nobody knows",
			"internal/committer/round.go", "	if w.answered {\n		return nil, false\n	}\n	c.collectLocked()\n	if w.answered {\n		return nil, false\n	}\n", "	c.collectLocked()\n",
			"./internal/committer", "TestCancelAnswered", false},
		{"order of arrival turned round", "who came later gets the lower number",
			"internal/committer/round.go", "			c.open.queue = append(c.open.queue, w)", "			c.open.queue = append([]*waiter{w}, c.open.queue...)",
			"./internal/committer", "TestGroupsForm", false},
		{"lost read accepted", "who read what was taken back commits all the same",
			"internal/committer/lead.go", "	if c.lostLocked(req.Base) {\n		c.stats.conflicts.Add(1)\n		return takenBack()\n	}", "",
			"./internal/committer", "TestNothingWritten", false},
		{"pending not taken back", "what was sequenced behind a failed group stays visible to writers",
			"internal/committer/lead.go", "	c.edit, c.pending, c.last, c.chain = state.NewEdit(p), p, p.Seq(), p.Chain()", "	c.pending = p",
			"./internal/committer", "TestNothingWritten", false},
		{"durable promised early", "under SyncNever DB.Durable says what was only appended",
			"internal/committer/lead.go", "	if c.opts.SyncEach || r.sync {\n", "	if true {\n",
			"./fuzz", "TestCrashUnsynced", false},
	}
}

// appending is wrong in the log.
func appending() []mistake {
	return []mistake{
		{"sync of nothing", "the active segment counts as synced",
			"wal/append.go", "		if err := a.f.Sync(); err != nil {", "		if err := error(nil); err != nil {",
			"./wal", "TestFailedSync", false},
		{"sync of a file that is gone", "a sync does not ask whether anybody would find the file again",
			"internal/vfs/rootfile.go", "path != nil && stands(*path, f.id) {", "path != nil {",
			"./internal/vfs", "TestContract", false},
		{"retry of a failed sync", "a sync that failed is tried again, and believed",
			"wal/append.go", "		if err := a.f.Sync(); err != nil {", "		if err := a.f.Sync(); err != nil && a.f.Sync() != nil {",
			"./fuzz", "TestCrashAfterFailedSync/binary", false},
		{"refused group left readable", "the bytes of a group that found no space stay in the segment",
			"wal/append.go", "	err := a.f.Truncate(a.off)\n	if err == nil {\n		a.size = a.off\n		err = a.f.Sync()\n	}", "	err := error(nil)",
			"./recovery", "TestCrashInGroups", false},
		{"cut back without a sync", "the bytes of a refused group come back with a power cut",
			"wal/append.go", "		a.size = a.off\n		err = a.f.Sync()", "		a.size = a.off",
			"./recovery", "TestCrashInGroups", false},
		{"doubtful cut goes on", "the log goes on although a group could not be taken back",
			"wal/append.go", "	if err != nil {\n		return l.stop(a, errors.Join(cause, err))\n	}\n	return &NotWritten{named(cause, a.name)}", "	return &NotWritten{named(cause, a.name)}",
			"./wal", "TestNotTakenBack", false},
		{"follower told before the mark", "log/durable is written behind the readers of this process",
			"wal/append.go", "	if err := l.remark(); err != nil {\n		return err\n	}\n	l.mu.Lock()", "	l.mu.Lock()",
			"./wal", "TestDurableFollowsTheSyncs", false},
		{"stale mark left", "a log/durable that could not be written stays as it was",
			"wal/append.go", "	if e := l.fs.Remove(DurableName); e != nil {", "	if e := error(nil); e != nil {",
			"./wal", "TestDurableThatCannotBeWritten", false},
		{"header not synced", "a segment gets its name before its header is on disk",
			"wal/rotate.go", "	err := a.f.Sync()\n	if err == nil || errors.Is(err, fault.ErrNoSpace) {", "	err := error(nil)\n	if err == nil || errors.Is(err, fault.ErrNoSpace) {",
			"./fuzz", "TestCrashEverywhere/binary", false},
		{"segment's name not synced", "the directory is not synced before the first answer",
			"wal/rotate.go", "	if err := l.fs.SyncDir(Dir); err != nil {\n		return errors.Join(l.stop(a, err), a.f.Close())\n	}\n", "",
			"./fuzz", "TestCrashEverywhere/binary", false},
		{"seal before its frames", "a seal is written behind what was not synced",
			"wal/rotate.go", "	if err := l.sync(); err != nil || l.active == nil {\n		return err\n	}\n	if l.active.count", "	if l.active == nil {\n		return nil\n	}\n	if l.active.count",
			"./fuzz", "TestSweep", false},
		{"seal not synced", "a segment counts as ended with its seal in the page cache",
			"wal/rotate.go", "	if err := f.Sync(); err != nil {\n		return 0, errors.Join(errSealSync, err)\n	}\n", "",
			"./fuzz", "TestCrashEverywhere/binary", false},
		{"recycled before the names are durable", "a dropped segment's file is written while its old name may come back",
			"wal/spare.go", "	if err == nil {\n		err = l.fs.SyncDir(Dir)\n	}\n	for _, name := range spares", "	for _, name := range spares",
			"./recovery", "TestCrashBesidePromotion", false},
		{"recycled under a reader", "the file of a segment is written again while somebody reads it",
			"wal/spare.go", " && l.readers[k.Epoch] == 0", "",
			"./wal", "TestTrimUnderAReader", false},
		{"recycled with a second name", "a file that a backup linked is written again",
			"wal/spare.go", "err != nil || n != 1 {", "err != nil || n < 1 {",
			"./wal", "TestNotRecycled", false},
		{"trimmed too far", "the segment that a checkpoint stands in goes too",
			"wal/spare.go", "l.kept[n].Last < before {", "l.kept[n].First < before {",
			"./wal", "TestTrimmed", false},
		{"epoch not in the checksum", "frames of a recycled segment's former life are taken for new ones",
			"wal/format.go", "	binary.LittleEndian.PutUint64(b[16:], h.Epoch)\n	return salt", "	return salt",
			"./wal", "TestFrameBytes", false},
	}
}

// promoting is wrong where a checkpoint is put in place.
func promoting() []mistake {
	return []mistake{
		{"checkpoint not synced", "the flag names a file that is not on disk",
			"internal/checkpoint/write.go", "	if err == nil {\n		err = f.Sync()\n	}\n	return sum", "	return sum",
			"./internal/checkpoint", "TestPromoteTrace", false},
		{"checkpoint not read back", "what the disk spoilt while writing becomes the base of the log",
			"internal/checkpoint/promote.go", "	read, err := Verify(p.FS, Backup, p.Store)", "	read, err := sum, error(nil)",
			"./internal/checkpoint", "TestPromoteReadsBack", false},
		{"checkpoint's name not synced", "the flag is raised for a name that a power cut takes",
			"internal/checkpoint/promote.go", "	if err := p.FS.SyncDir(wal.Dir); err != nil { // p2\n		return sum, err\n	}\n", "",
			"./internal/checkpoint", "TestPromoteTrace", false},
		{"flag not synced", "a raised flag may be empty after a power cut",
			"internal/checkpoint/flag.go", "	if err == nil {\n		err = f.Sync()\n	}\n	if err = errors.Join(err, f.Close()); err != nil {\n		return err\n	}\n	return fsys.SyncDir", "	if err = errors.Join(err, f.Close()); err != nil {\n		return err\n	}\n	return fsys.SyncDir",
			"./internal/checkpoint", "TestPromoteTrace", false},
		{"drop before the rename is synced", "segments go while the checkpoint may lose its name",
			"internal/checkpoint/promote.go", "	if err := fsys.Rename(Backup, Name(seq)); err != nil {\n		return err\n	}\n	return fsys.SyncDir(wal.Dir)", "	return fsys.Rename(Backup, Name(seq))",
			"./internal/checkpoint", "TestPromoteTrace", false},
		{"unsure promotion forgiven", "writing goes on though nobody knows what log/ holds",
			"engine/checkpoint.go", "		return c.stopped(u.Cause)\n", "		return u.Cause\n",
			"./engine", "TestCheckpointUnsure", false},
		{"Keep off by one", "one checkpoint fewer is kept than the store asks for",
			"internal/checkpoint/keep.go", "	return nth >= f.Keep.Checkpoints", "	return nth >= f.Keep.Checkpoints-1",
			"./engine", "TestEveryPast", false},
		{"unread checkpoint as base", "what does not verify counts as a floor, and the log below it goes",
			"internal/checkpoint/keep.go", "		return Header{}, false, nil\n	}\n	return Header{}, false, err", "		return Header{}, true, nil\n	}\n	return Header{}, false, err",
			"./internal/checkpoint", "TestBase", false},
	}
}
