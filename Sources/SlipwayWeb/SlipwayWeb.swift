// SlipwayWeb: server-rendered pages: what each shows and how it looks.
