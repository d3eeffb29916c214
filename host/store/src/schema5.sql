-- The step from version 4 to 5: what is on a link (addresses, routes, neighbours, forwarding entries), and how many bytes the tables of a
-- network have. Of links that were made before nobody noted what is on them.

CREATE TABLE parts (
  link INTEGER NOT NULL,
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  PRIMARY KEY (link, kind, key)
) WITHOUT ROWID;

CREATE TRIGGER parts_insert AFTER INSERT ON parts BEGIN
  INSERT INTO held SELECT network, new.kind, 1 FROM objects WHERE id = new.link
    ON CONFLICT (network, kind) DO UPDATE SET count = count + 1;
END;
CREATE TRIGGER parts_delete AFTER DELETE ON parts BEGIN
  UPDATE held SET count = count - 1
    WHERE network = (SELECT network FROM objects WHERE id = old.link) AND kind = old.kind;
END;
-- Before: the link's network is still to be found.
CREATE TRIGGER objects_parts BEFORE DELETE ON objects WHEN old.link IS NOT NULL BEGIN
  DELETE FROM parts WHERE link = old.id;
END;

-- 'entry-bytes': of the driver's own entries.
INSERT INTO held SELECT network, 'entry-bytes', sum(length(tab) + length(key) + length(value)) FROM entries
  WHERE owner = 'self' AND value IS NOT NULL GROUP BY network;

DROP TRIGGER entries_insert;
DROP TRIGGER entries_update;
DROP TRIGGER entries_delete;
CREATE TRIGGER entries_insert AFTER INSERT ON entries WHEN new.owner = 'self' AND new.value IS NOT NULL BEGIN
  INSERT INTO held VALUES
    (new.network, 'entry', 1), (new.network, 'entry-bytes', length(new.tab) + length(new.key) + length(new.value))
    ON CONFLICT (network, kind) DO UPDATE SET count = count + excluded.count;
END;
CREATE TRIGGER entries_update AFTER UPDATE OF owner, value ON entries BEGIN
  INSERT INTO held SELECT new.network, 'entry', 1 WHERE new.owner = 'self' AND new.value IS NOT NULL
    UNION ALL SELECT new.network, 'entry-bytes', length(new.tab) + length(new.key) + length(new.value)
      WHERE new.owner = 'self' AND new.value IS NOT NULL
    ON CONFLICT (network, kind) DO UPDATE SET count = count + excluded.count;
  UPDATE held SET count = count - iif(kind = 'entry', 1, length(old.tab) + length(old.key) + length(old.value))
    WHERE network = old.network AND kind IN ('entry', 'entry-bytes') AND old.owner = 'self' AND old.value IS NOT NULL;
  DELETE FROM held WHERE network = old.network AND count <= 0;
END;
CREATE TRIGGER entries_delete AFTER DELETE ON entries WHEN old.owner = 'self' AND old.value IS NOT NULL BEGIN
  UPDATE held SET count = count - iif(kind = 'entry', 1, length(old.tab) + length(old.key) + length(old.value))
    WHERE network = old.network AND kind IN ('entry', 'entry-bytes');
  DELETE FROM held WHERE network = old.network AND count <= 0;
END;
