using NUnit.Framework;

// Much of what these tests do is to wait for processes, lines and clocks: three at a time keep two cores busy.
[assembly: LevelOfParallelism(3)]
