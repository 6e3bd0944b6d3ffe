using NUnit.Framework;

// Fixtures share nothing but the machine: each has folders, ports and state of its own. Those that change what the whole process shares are marked
// NonParallelizable.
[assembly: Parallelizable(ParallelScope.Fixtures)]
