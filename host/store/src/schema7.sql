-- The step from version 6 to 7: what all networks of a driver hold, so that a limit costs the same with ten networks and with ten thousand. What is
-- held by a network before it has its row is counted with the row.

CREATE TABLE driver_held (
  driver TEXT NOT NULL,
  kind TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (driver, kind)
) WITHOUT ROWID;

INSERT INTO driver_held SELECT driver, kind, sum(count) FROM held JOIN networks ON networks.id = held.network
  GROUP BY driver, kind;

CREATE TRIGGER held_insert AFTER INSERT ON held BEGIN
  INSERT INTO driver_held SELECT driver, new.kind, new.count FROM networks WHERE id = new.network
    ON CONFLICT (driver, kind) DO UPDATE SET count = count + excluded.count;
END;
CREATE TRIGGER held_update AFTER UPDATE ON held BEGIN
  UPDATE driver_held SET count = count + new.count - old.count
    WHERE driver = (SELECT driver FROM networks WHERE id = new.network) AND kind = new.kind;
END;
CREATE TRIGGER held_delete AFTER DELETE ON held BEGIN
  UPDATE driver_held SET count = count - old.count
    WHERE driver = (SELECT driver FROM networks WHERE id = old.network) AND kind = old.kind;
END;

CREATE TRIGGER networks_insert AFTER INSERT ON networks BEGIN
  INSERT INTO driver_held SELECT new.driver, kind, count FROM held WHERE network = new.id
    ON CONFLICT (driver, kind) DO UPDATE SET count = count + excluded.count;
END;
CREATE TRIGGER networks_delete AFTER DELETE ON networks BEGIN
  UPDATE driver_held SET count = count - (SELECT count FROM held WHERE network = old.id AND kind = driver_held.kind)
    WHERE driver = old.driver AND kind IN (SELECT kind FROM held WHERE network = old.id);
END;
