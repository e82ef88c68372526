// A small web service.
import express from "express";

const app = express();
app.get("/", (request, response) => response.send("hello\n"));
app.listen(8080, () => console.log(`listening, ${process.version}`));
