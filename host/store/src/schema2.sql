-- The step from version 1 to 2: what a network holds, by kind, so that a limit costs the same with ten and with ten thousand. Kinds are
-- those of objects, and 'entry': a table entry of the driver's own. Drivers have a grant in their records; without one, nothing is granted.

CREATE TABLE held (
  network TEXT NOT NULL,
  kind TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (network, kind)
) WITHOUT ROWID;

INSERT INTO held SELECT network, kind.key, count(*) FROM objects, json_each(record, '$.thing') AS kind GROUP BY network, kind.key;
INSERT INTO held SELECT network, 'entry', count(*) FROM entries WHERE owner = 'self' AND value IS NOT NULL GROUP BY network;

CREATE TRIGGER objects_insert AFTER INSERT ON objects BEGIN
  INSERT INTO held SELECT new.network, key, 1 FROM json_each(new.record, '$.thing') WHERE true
    ON CONFLICT (network, kind) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER objects_delete AFTER DELETE ON objects BEGIN
  UPDATE held SET count = count - 1
    WHERE network = old.network AND kind IN (SELECT key FROM json_each(old.record, '$.thing'));
  DELETE FROM held WHERE network = old.network AND count <= 0;
END;

CREATE TRIGGER entries_insert AFTER INSERT ON entries WHEN new.owner = 'self' AND new.value IS NOT NULL BEGIN
  INSERT INTO held VALUES (new.network, 'entry', 1) ON CONFLICT (network, kind) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER entries_update AFTER UPDATE OF owner, value ON entries BEGIN
  INSERT INTO held SELECT new.network, 'entry', 1 WHERE new.owner = 'self' AND new.value IS NOT NULL
    ON CONFLICT (network, kind) DO UPDATE SET count = count + 1;
  UPDATE held SET count = count - 1
    WHERE network = old.network AND kind = 'entry' AND old.owner = 'self' AND old.value IS NOT NULL;
  DELETE FROM held WHERE network = old.network AND count <= 0;
END;
CREATE TRIGGER entries_delete AFTER DELETE ON entries WHEN old.owner = 'self' AND old.value IS NOT NULL BEGIN
  UPDATE held SET count = count - 1 WHERE network = old.network AND kind = 'entry';
  DELETE FROM held WHERE network = old.network AND count <= 0;
END;

-- What a start has to do in the kernel for a call that was cut off, or that came through but not to its last removal. The ids are objects'.
CREATE TABLE notes (id INTEGER PRIMARY KEY, record TEXT NOT NULL);
