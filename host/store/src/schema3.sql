-- The step from version 2 to 3: versions are counted in memory, one page less in a commit.

DROP TABLE counter;
